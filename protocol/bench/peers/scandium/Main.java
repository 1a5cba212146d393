import com.upokecenter.cbor.CBORObject;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import org.eclipse.californium.core.CoapResource;
import org.eclipse.californium.core.CoapServer;
import org.eclipse.californium.core.coap.CoAP.ResponseCode;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.core.server.resources.CoapExchange;
import org.eclipse.californium.elements.RawData;
import org.eclipse.californium.elements.auth.RawPublicKeyIdentity;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.config.UdpConfig;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.pskstore.AdvancedMultiPskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticNewAdvancedCertificateVerifier;

/**
 * Scandium as a server of benchmarks: arguments mode (echo, send), proof (psk, rpk, x509), port, folder of keys, number of clients, length
 * of connection ids or -1. Mode send is Californium on Scandium: POST /dp with SenML CBOR, decoded and answered 2.04. Deduplication is the
 * bounded one, and one thread for each stage, as there is one core. All else is its default.
 */
public final class Main {
  private static final int RECORDS = 10;

  public static void main(String[] arguments) throws Exception {
    String proof = arguments[1];
    int port = Integer.parseInt(arguments[2]);
    Path folder = Path.of(arguments[3]);
    int clients = Integer.parseInt(arguments[4]);
    int idBytes = Integer.parseInt(arguments[5]);

    CoapConfig.register();
    UdpConfig.register();
    DtlsConfig.register();
    Configuration configuration = new Configuration()
        .set(CoapConfig.DEDUPLICATOR, CoapConfig.DEDUPLICATOR_PEERS_MARK_AND_SWEEP)
        .set(CoapConfig.PEERS_MARK_AND_SWEEP_MESSAGES, 64)
        .set(CoapConfig.PROTOCOL_STAGE_THREAD_COUNT, 1)
        .set(DtlsConfig.DTLS_ROLE, DtlsConfig.DtlsRole.SERVER_ONLY)
        .set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false)
        .set(DtlsConfig.DTLS_CONNECTOR_THREAD_COUNT, 1)
        .set(DtlsConfig.DTLS_RECEIVER_THREAD_COUNT, 1);
    if (idBytes >= 0) configuration.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, idBytes);
    DtlsConnectorConfig.Builder builder = DtlsConnectorConfig.builder(configuration)
        .setAddress(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port))
        .setAsListFromText(DtlsConfig.DTLS_CIPHER_SUITES, proof.equals("psk") ? "TLS_PSK_WITH_AES_128_CCM_8" : "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    if (proof.equals("psk")) {
      AdvancedMultiPskStore keys = new AdvancedMultiPskStore();
      byte[] key = Files.readAllBytes(folder.resolve("psk"));
      for (int i = 0; i < clients; i++) keys.setKey("bench-" + i, key);
      builder.setAdvancedPskStore(keys);
    } else {
      prove(builder, proof.equals("rpk"), folder, clients);
    }
    DTLSConnector connector = new DTLSConnector(builder.build());
    if (arguments[0].equals("send")) serveSends(configuration, connector);
    else serveEchoes(connector);
    System.out.println("ready");
    // Ends with the benchmark: its end of the pipe closes even when it is killed.
    while (System.in.read() >= 0) continue;
    System.exit(0);
  }

  private static void prove(DtlsConnectorConfig.Builder builder, boolean raw, Path folder, int clients) throws Exception {
    PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(folder.resolve("server.key"))));
    StaticNewAdvancedCertificateVerifier.Builder verifier = StaticNewAdvancedCertificateVerifier.builder();
    if (raw) {
      builder.setCertificateIdentityProvider(new SingleCertificateProvider(key, publicKey(folder.resolve("server.public"))));
      RawPublicKeyIdentity[] trusted = new RawPublicKeyIdentity[clients];
      for (int i = 0; i < clients; i++) trusted[i] = new RawPublicKeyIdentity(publicKey(folder.resolve("client-" + i + ".public")));
      verifier.setTrustedRPKs(trusted);
    } else {
      Certificate[] chain = { certificate(folder.resolve("server.certificate")) };
      builder.setCertificateIdentityProvider(new SingleCertificateProvider(key, chain, CertificateType.X_509));
      verifier.setTrustedCertificates(certificate(folder.resolve("authority.certificate")));
    }
    builder.setAdvancedCertificateVerifier(verifier.build());
  }

  private static PublicKey publicKey(Path file) throws Exception {
    return KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(Files.readAllBytes(file)));
  }

  private static Certificate certificate(Path file) throws Exception {
    try (InputStream input = Files.newInputStream(file)) {
      return CertificateFactory.getInstance("X.509").generateCertificate(input);
    }
  }

  private static void serveEchoes(DTLSConnector connector) throws Exception {
    connector.setRawDataReceiver(raw -> connector.send(RawData.outbound(raw.getBytes(), raw.getEndpointContext(), null, false)));
    connector.start();
  }

  private static void serveSends(Configuration configuration, DTLSConnector connector) {
    CoapServer server = new CoapServer(configuration);
    server.addEndpoint(new CoapEndpoint.Builder().setConfiguration(configuration).setConnector(connector).build());
    server.add(new CoapResource("dp") {
      @Override
      public void handlePOST(CoapExchange exchange) {
        CBORObject pack = CBORObject.DecodeFromBytes(exchange.getRequestPayload());
        exchange.respond(pack.size() == RECORDS ? ResponseCode.CHANGED : ResponseCode.BAD_REQUEST);
      }
    });
    server.start();
  }
}
