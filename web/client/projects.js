// Project feeds (WIRE §5), behind the interface that apps of theirs know: a promise for each call, an `on…` for each event.

import { Client } from './client.js';

/** A client of project feeds. */
export class WebSocketClient {
  /** @type {Client} */
  client;

  /**
   * @param {{url?: string, token: string|(() => string|Promise<string>), autoReconnect?: boolean,
   *   reconnectAttempts?: number, reconnectDelay?: number}|Client} options or a client that does other things besides
   */
  constructor(options) {
    this.client = options instanceof Client ? options : new Client(options);
  }

  connect() {
    return this.client.connect();
  }

  disconnect() {
    this.client.disconnect();
  }

  /**
   * @param {string} projectId
   * @param {{since?: number, timeout?: number}} [options] `since`: the last `seq` that the app has
   */
  joinProject(projectId, options) {
    return this.client.join('project', projectId, options);
  }

  /** @param {string} projectId */
  leaveProject(projectId) {
    return this.client.leave('project', projectId);
  }

  /**
   * What this user, and what everyone is told, from now on or from after what the app has.
   * @param {{since?: number, all?: number, timeout?: number}} [options]
   */
  joinFeed(options) {
    return this.client.join('feed', '', options);
  }

  ping() {
    return this.client.call('ping', {}, { repeat: true });
  }

  onStoryUploaded(handler) {
    return this.client.on('story_uploaded', handler);
  }

  onStoryProcessing(handler) {
    return this.client.on('story_processing', handler);
  }

  onStoryProcessed(handler) {
    return this.client.on('story_processed', handler);
  }

  onTranscriptUpdated(handler) {
    return this.client.on('transcript_updated', handler);
  }

  onInteractionAdded(handler) {
    return this.client.on('interaction_added', handler);
  }

  onInteractionUpdated(handler) {
    return this.client.on('interaction_updated', handler);
  }

  onExportStarted(handler) {
    return this.client.on('export_started', handler);
  }

  onExportProgress(handler) {
    return this.client.on('export_progress', handler);
  }

  onExportReady(handler) {
    return this.client.on('export_ready', handler);
  }

  onExportFailed(handler) {
    return this.client.on('export_failed', handler);
  }

  onServerShutdown(handler) {
    return this.client.on('server_shutdown', handler);
  }

  /** Errors that answer no call, and projects that could not be joined again. */
  onError(handler) {
    const offs = [this.client.on('error', handler), this.client.on('refused', ({ error }) => handler(error))];
    return () => offs.forEach((off) => off());
  }
}
