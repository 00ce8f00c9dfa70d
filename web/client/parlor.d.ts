// The types of what apps import from `parlor.js`.

export type Code =
  | 'PROTOCOL_ERROR' | 'CLIENT_ERROR' | 'AUTH_FAILED' | 'TOKEN_EXPIRED' | 'PERMISSION_DENIED' | 'ROOM_ACCESS_DENIED'
  | 'PROJECT_ACCESS_DENIED' | 'NOT_FOUND' | 'CONFLICT' | 'TOO_LARGE' | 'RATE_LIMITED' | 'RATE_LIMIT_EXCEEDED'
  | 'SERVER_ERROR' | 'AI_BAD_REPLY' | 'AI_UNAVAILABLE' | 'STORE_UNAVAILABLE' | 'OVERLOADED' | 'CONNECTION_LOST';

export class ParlorError extends Error {
  constructor(error: { code: Code; message: string; details?: unknown; recoverable?: boolean });
  readonly code: Code;
  readonly details?: any;
  readonly recoverable: boolean;
}

export type Token = string | (() => string | Promise<string>);
export type State = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';
export type Off = () => void;
export type Kind = 'chat' | 'project' | 'feed';

/** What is needed of a WebSocket, where there is no global one. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => {
  readonly readyState: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
};

export interface ConnectionOptions {
  /** `ws:` or `http:`, of the server or of an endpoint; in a page its own server without it. */
  url?: string;
  WebSocket?: WebSocketConstructor;
  /** Whether a lost connection is opened again; `true` unless said. */
  autoReconnect?: boolean;
  /** How many attempts in a row; unlimited unless said. */
  reconnectAttempts?: number;
  /** The longest first pause in ms, 1 000 unless said; it doubles with each attempt up to 30 s. */
  reconnectDelay?: number;
  /** The silence in ms after which the server is asked whether it is there; 30 000 unless said, 0 never. */
  heartbeatInterval?: number;
  /** How long a call may take in ms unless it says otherwise; 10 000 unless said. */
  callTimeout?: number;
}

export interface ClientOptions extends ConnectionOptions {
  token: Token;
  /** `/api/connect` unless said. */
  endpoint?: string;
}

export interface OwnEvents {
  connecting: { attempt: number };
  open: Record<string, never>;
  waiting: { code: number; reason: string; attempt: number; delayMs: number };
  closed: { code: number; reason: string };
  /** A room was joined again; what was missed follows. */
  rejoined: { kind: Kind; id: string; answer: any };
  /** A room was joined again, but what was heard before does not continue. */
  reset: { kind: Kind; id: string; answer: any };
  /** A room could not be joined again, and is forgotten. */
  refused: { kind: Kind; id: string; error: ParlorError };
  refresh_failed: ParlorError;
  error: ParlorError;
  'chat:error': ParlorError;
  'chat:message:received': ChatMessage;
  'auth:expiring': { expiresAt: string };
  'auth:refreshed': { expiresAt: string };
  server_shutdown: { reason: string; reconnectAfterMs: number };
}

export class Client {
  constructor(options: ClientOptions);
  readonly state: State;
  connect(): Promise<void>;
  disconnect(): void;
  /** `repeat`: doing it twice does no harm; `ownId`: the `id` in its data is no one else's. */
  call<Answer = any>(event: string, data?: object, options?: { timeout?: number; repeat?: boolean; ownId?: boolean }): Promise<Answer>;
  join<Answer = any>(kind: Kind, id: string, options?: JoinOptions & { all?: number }): Promise<Answer>;
  leave<Answer = any>(kind: Kind, id: string): Promise<Answer>;
  refresh(token: string): void;
  on<Name extends keyof OwnEvents>(event: Name, handler: (data: OwnEvents[Name], event: string) => void): Off;
  on(event: string, handler: (data: any, event: string) => void): Off;
  once<Name extends keyof OwnEvents>(event: Name, handler: (data: OwnEvents[Name], event: string) => void): Off;
  once(event: string, handler: (data: any, event: string) => void): Off;
  off(event: string, handler: (data: any, event: string) => void): void;
}

export interface JoinOptions {
  /** The last `seq` that the app has. */
  since?: number;
  timeout?: number;
}

export interface ChatMessage {
  id: string;
  seq: number;
  type: 'chat' | 'robot' | 'system' | 'file' | 'image' | 'graph';
  roomId: string;
  senderId: string;
  senderName?: string;
  content: string | object;
  timestamp: string;
  deliveryStatus: 'streaming' | 'batch-delay' | 'delivered';
  metadata?: object;
}

export interface Member {
  userId: string;
  name?: string;
  userType: 'employee' | 'guest' | 'supervisor';
  online: boolean;
}

export interface ChatRoom {
  roomId: string;
  name: string;
  members: Member[];
  memberCount: number;
  lastSeq: number;
  messages: ChatMessage[];
  hasMore: boolean;
  reset?: boolean;
}

export interface Delivered {
  id: string;
  seq: number;
  timestamp: string;
  deliveryStatus: 'delivered';
}

export class Chat {
  constructor(client: Client | ClientOptions);
  readonly client: Client;
  connect(): Promise<void>;
  disconnect(): void;
  createRoom(room: { roomId?: string; name: string; visibility: 'public' | 'private'; members?: string[] }): Promise<{ roomId: string; name: string }>;
  joinRoom(roomId: string, options?: JoinOptions): Promise<ChatRoom>;
  leaveRoom(roomId: string): Promise<{ roomId: string }>;
  sendMessage(
    roomId: string,
    content: string | object,
    options?: { id?: string; type?: 'chat' | 'image' | 'graph'; metadata?: object; timeout?: number },
  ): Promise<Delivered>;
  history(roomId: string, page?: { before?: number; after?: number; limit?: number }): Promise<{ messages: ChatMessage[]; hasMore: boolean }>;
  markRead(roomId: string, seq: number): Promise<unknown>;
  startTyping(roomId: string): void;
  stopTyping(roomId: string): void;
  uploadFile(roomId: string, file: { name: string; mimeType: string; data: string }): Promise<any>;
  askRobot(roomId: string, prompt: string): Promise<any>;
  escalate(roomId: string, reason: string): Promise<any>;
  resolveEscalation(escalationId: string): Promise<unknown>;
  onMessage(handler: (message: ChatMessage) => void): Off;
  onTyping(handler: (typing: { roomId: string; userId: string; name?: string; typing: boolean }) => void): Off;
  onRead(handler: (read: { roomId: string; userId: string; seq: number }) => void): Off;
  onNotification(handler: (notification: { kind: string; roomId: string; [more: string]: any }) => void): Off;
  onFile(handler: (file: any) => void): Off;
  onRobot(handler: (reply: any) => void): Off;
  onEscalation(handler: (escalation: any) => void): Off;
  onReset(handler: (reset: { kind: Kind; id: string; answer: ChatRoom }) => void): Off;
  onError(handler: (error: ParlorError) => void): Off;
}

/** What a backend said, with what the server adds. */
export type ProjectEvent = { projectId: string; seq?: number; at: string; [more: string]: any };

export class WebSocketClient {
  constructor(options: ClientOptions | Client);
  readonly client: Client;
  connect(): Promise<void>;
  disconnect(): void;
  joinProject(projectId: string, options?: JoinOptions): Promise<{ projectId: string; lastSeq: number }>;
  leaveProject(projectId: string): Promise<{ projectId: string }>;
  joinFeed(options?: JoinOptions & { all?: number }): Promise<{ lastSeq: number; allSeq: number }>;
  ping(): Promise<{ timestamp: string }>;
  onStoryUploaded(handler: (event: ProjectEvent) => void): Off;
  onStoryProcessing(handler: (event: ProjectEvent) => void): Off;
  onStoryProcessed(handler: (event: ProjectEvent) => void): Off;
  onTranscriptUpdated(handler: (event: ProjectEvent) => void): Off;
  onInteractionAdded(handler: (event: ProjectEvent) => void): Off;
  onInteractionUpdated(handler: (event: ProjectEvent) => void): Off;
  onExportStarted(handler: (event: ProjectEvent) => void): Off;
  onExportProgress(handler: (event: ProjectEvent) => void): Off;
  onExportReady(handler: (event: ProjectEvent) => void): Off;
  onExportFailed(handler: (event: ProjectEvent) => void): Off;
  onServerShutdown(handler: (shutdown: OwnEvents['server_shutdown']) => void): Off;
  onError(handler: (error: ParlorError) => void): Off;
}

export interface Turn {
  turn: number;
  role: 'assistant' | 'user';
  content: string;
  at: string;
}

export interface DocumentMessages {
  session_started: { sessionId: string; templateId: string; templateName: string };
  session_resumed: { sessionId: string; templateId: string; templateName: string; history: Turn[] };
  next_question: { sessionId: string; turn: number; question: string; progress?: { answered: number; total: number } };
  question_delta: { text: string };
  response_saved: { id: string; turn: number };
  document_complete: { sessionId: string; documentId: string };
  error: { error: ParlorError };
  connecting: OwnEvents['connecting'];
  open: OwnEvents['open'];
  waiting: OwnEvents['waiting'];
  closed: OwnEvents['closed'];
  server_shutdown: OwnEvents['server_shutdown'];
}

type DocumentHandler<Type extends keyof DocumentMessages> = (message: { type: Type } & DocumentMessages[Type]) => void;
type DocumentOptions = ConnectionOptions & { stream?: boolean };

export class DocAPI {
  constructor(options?: DocumentOptions);
  startSession(token: Token, templateId: string, options?: { fresh?: boolean }): Promise<string>;
  sendMessage(text: string): Promise<{ turn: number }>;
  retry(): Promise<unknown>;
  onMessage<Type extends keyof DocumentMessages>(type: Type, handler: DocumentHandler<Type>): Off;
  close(): void;

  static configure(options: DocumentOptions): void;
  static startSession(token: Token, templateId: string, options?: { fresh?: boolean }): Promise<string>;
  static sendMessage(text: string): Promise<{ turn: number }>;
  static retry(): Promise<unknown>;
  static onMessage<Type extends keyof DocumentMessages>(type: Type, handler: DocumentHandler<Type>): Off;
  static close(): void;
}
