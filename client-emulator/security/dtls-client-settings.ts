/** How the device speaks DTLS, whoever the server is. */
import { defaultHandshakeSettings } from "@lwm2m/protocol/dtls/handshake-contract";

export interface DtlsClientSettings {
  /** Offered where the Security object names none, preferred first. */
  readonly cipherSuites: readonly number[];
  /** Length of the id the server puts into its records (RFC 9146); 0 asks for an id towards the server only; undefined: no ids. */
  readonly connectionIdBytes: number | undefined;
  readonly requireExtendedMasterSecret: boolean;
}

export const usualDtls: DtlsClientSettings = {
  cipherSuites: defaultHandshakeSettings.cipherSuites,
  connectionIdBytes: undefined,
  requireExtendedMasterSecret: true,
};
