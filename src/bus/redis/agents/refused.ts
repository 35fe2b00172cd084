/** An answer that cannot be taken. Its message says why. */
export class AnswerRefused extends Error {}
