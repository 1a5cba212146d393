/** Why the server cannot start, as one line for the person who started it: what, where, and what to do. No stack is shown. */
export class StartError extends Error {
  constructor(message: string) {
    super(message.replaceAll(/\s*\n\s*/g, " "));
    this.name = "StartError";
  }
}

/** The server was told to stop before it had started: nothing is wrong. */
export class StartAbandoned extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StartAbandoned";
  }
}
