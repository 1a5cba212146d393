/** Who wants to hear of registrations: features above, told by call in the order in which they came. */
import type { DisconnectListener, GoneListener, MoveListener, Registration, SignListener } from "./registration.ts";

export class RegistrationListeners {
  readonly sign: SignListener[] = [];
  readonly move: MoveListener[] = [];
  readonly disconnect: DisconnectListener[] = [];
  readonly gone: GoneListener[] = [];

  tellSign(...news: Parameters<SignListener>): void {
    for (const listener of this.sign) listener(...news);
  }

  /** One after the other: the reply to the device waits for all of them. */
  async tellMoved(registration: Registration): Promise<void> {
    for (const listener of this.move) await listener(registration);
  }

  tellDisconnected(endpoint: string): void {
    for (const listener of this.disconnect) listener(endpoint);
  }

  tellGone(...news: Parameters<GoneListener>): void {
    for (const listener of this.gone) listener(...news);
  }
}
