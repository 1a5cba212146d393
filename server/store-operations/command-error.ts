/** Why `npm run store` did not do what it was told: one line for the person at the terminal. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message.replaceAll(/\s*\n\s*/g, " "));
    this.name = "CommandError";
  }
}
