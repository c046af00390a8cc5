/** Why there is no result; from the service (RFC 9457) or from what is in its place. */
export class Problem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {{status?: number, code?: string, retryAfter?: number}} [more]
   */
  constructor(title, detail, { status = 0, code = "", retryAfter = 0 } = {}) {
    super(detail ? `${title}: ${detail}` : title);
    this.title = title;
    this.detail = detail;
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}
