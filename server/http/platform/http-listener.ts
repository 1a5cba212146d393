/** The TCP side of the HTTP door: one bound server, closed without cutting off what is being answered. */
import { createServer, type RequestListener } from "node:http";

export interface HttpListener {
  readonly address: string;
  readonly port: number;
  /** Takes no new connection; what is still busy after `graceMs` is cut. */
  close(graceMs: number): Promise<void>;
}

export interface HttpListenerSettings {
  readonly host: string;
  readonly port: number;
  /** For one whole request, body included. */
  readonly requestTimeoutMs: number;
}

/** For the header of a request: a person with a terminal manages, a thousand idle half-requests do not pile up. */
const headersTimeoutMs = 20_000;
/** Longer than the idle time of common proxies (60 s), so that they close first and no request is lost. */
const keepAliveTimeoutMs = 65_000;
const maxHeaderBytes = 16_384;
/** How often connections that became idle are looked for while closing. */
const sweepMs = 50;

/** Rejects with the error of the operating system (`EADDRINUSE`, `EACCES`, ...). */
export function openHttpListener(settings: HttpListenerSettings, listener: RequestListener): Promise<HttpListener> {
  const server = createServer(
    {
      requestTimeout: settings.requestTimeoutMs,
      headersTimeout: Math.min(headersTimeoutMs, settings.requestTimeoutMs),
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
    },
    listener,
  );
  // The door decides whether it wants the body (RFC 9110 §10.1.1); without this Node asks for it at once.
  server.on("checkContinue", listener);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: settings.host, port: settings.port, exclusive: true }, () => {
      server.off("error", reject);
      const bound = server.address();
      if (bound === null || typeof bound === "string") throw new Error(`a TCP server is bound to ${bound}`);
      resolve({ address: bound.address, port: bound.port, close: (graceMs) => closeServer(server, graceMs) });
    });
  });
}

function closeServer(server: ReturnType<typeof createServer>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
