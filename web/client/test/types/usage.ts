// How apps use the client, for the compiler: it is checked and never run.

import { Chat, Client, DocAPI, ParlorError, WebSocketClient } from '../../parlor.js';

const client = new Client({ url: 'ws://localhost:8080', token: async () => 'jwt', WebSocket: globalThis.WebSocket });
client.on('waiting', ({ delayMs }) => delayMs.toFixed());
client.on('story_uploaded', (story) => story.anything);

const chat = new Chat(client);
const off: () => void = chat.onMessage(({ seq, content }) => [seq.toFixed(), content]);
chat.joinRoom('team', { since: 3 }).then(({ members }) => members[0]?.userType === 'guest');
chat.sendMessage('team', 'Hello').then(({ seq }) => seq.toFixed(), (error: ParlorError) => error.code === 'RATE_LIMITED');
off();

const projects = new WebSocketClient({ url: 'ws://localhost:3001', token: 'jwt', autoReconnect: true, reconnectAttempts: 5, reconnectDelay: 1000 });
projects.onStoryUploaded(({ projectId }) => projectId.length);
projects.joinProject('p').then(({ lastSeq }) => lastSeq.toFixed());

const sessionId: Promise<string> = DocAPI.startSession('jwt', 'letter');
DocAPI.onMessage('next_question', (data) => data.question.length);
DocAPI.onMessage('closed', ({ code }) => code.toFixed());
await sessionId;

// @ts-expect-error a client needs a token
new Client({ url: 'ws://localhost:8080' });
// @ts-expect-error there is no such message
DocAPI.onMessage('nonsense', () => {});
// @ts-expect-error clients do not send these
await chat.sendMessage('team', 'Hello', { type: 'system' });
