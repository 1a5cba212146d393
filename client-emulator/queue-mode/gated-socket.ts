/** A socket that can be deaf and dumb: a device asleep or powered off neither hears nor speaks. */
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

export interface GatedSocket extends DatagramSocket {
  setOpen(open: boolean): void;
}

/** `onSend` runs for each datagram that leaves. */
export function gateSocket(socket: DatagramSocket, onSend: () => void): GatedSocket {
  let open = true;
  return {
    local: socket.local,
    send(bytes: Uint8Array, to: SocketAddress): void {
      if (!open) return;
      socket.send(bytes, to);
      onSend();
    },
    onDatagram(receive): void {
      socket.onDatagram((bytes, from) => {
        if (open) receive(bytes, from);
      });
    },
    close: () => socket.close(),
    setOpen(next): void {
      open = next;
    },
  };
}
