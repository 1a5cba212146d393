/**
 * ioredis subscribes anew when Redis is back, with a promise that nobody owns: a connection that is closed in that moment would end the process.
 * From here on each of them has an owner; who asked for it hears of its failure all the same.
 */
export function ownSubscriptions(connection: object): void {
  for (const name of ["subscribe", "psubscribe"]) {
    const own: unknown = Reflect.get(connection, name);
    if (typeof own !== "function") continue;
    const owned = (...args: unknown[]): unknown => {
      const subscribed: unknown = own.apply(connection, args);
      if (subscribed instanceof Promise) subscribed.catch(() => {});
      return subscribed;
    };
    Object.assign(connection, { [name]: owned });
  }
}
