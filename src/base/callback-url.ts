/**
 * What an expression gives for `callback.url`, and what is stored: the URL takes its place when a request is sent, so
 * that readers of a run do not have it.
 */
export const CALLBACK_URL = "${callback.url}";
