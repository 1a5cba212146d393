/** Calls of the REST API over kept connections, for benches. */
import { Agent, request } from "node:http";

export interface ApiCaller {
  /** The body of a 2xx; rejects for any other. */
  call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  close(): void;
}

export function openApiCaller(port: number, connections: number): ApiCaller {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const headers = { authorization: "Bearer a-key-for-the-bench", "content-type": "application/json", prefer: "wait=30" };
  return {
    call: (method, path, body) =>
      new Promise((resolve, reject) => {
        const asked = request({ port, method, path: `/api/v1${path}`, agent, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            if (response.statusCode !== undefined && response.statusCode >= 200 && response.statusCode < 300) resolve(JSON.parse(text));
            else reject(new Error(`${method} ${path} was answered ${response.statusCode}: ${text}`));
          });
        });
        asked.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}
