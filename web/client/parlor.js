// What apps import.

export { Chat } from './chat.js';
export { Client, ParlorError } from './client.js';
export { DocAPI } from './documents.js';
export { WebSocketClient } from './projects.js';
