// What was refused for good, with what it said, until somebody has looked at it.

/** How many are kept; the oldest goes first. */
const REFUSED_MAX = 100;

/**
 * @typedef {import('./operations.js').Operation & {refusal: {code?: string, message?: string}}} Refused
 */

/** The refusals of one dashboard. */
export class Refusals {
  /** @type {Refused[]} */
  all;

  /** @param {any[]} kept what was kept, with others that wait */
  constructor(kept) {
    this.all = kept.filter(({ refusal }) => refusal);
  }

  /**
   * @param {import('./operations.js').Operation} operation
   * @param {any} error
   */
  add(operation, error) {
    this.all = [...this.all, { ...operation, refusal: { code: error?.code, message: error?.message } }].slice(-REFUSED_MAX);
  }

  /** Somebody has looked at one. @param {string} id */
  dismiss(id) {
    this.all = this.all.filter((one) => one.id !== id);
  }
}
