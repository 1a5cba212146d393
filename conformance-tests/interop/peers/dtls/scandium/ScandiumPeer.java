import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.californium.elements.AddressEndpointContext;
import org.eclipse.californium.elements.DtlsEndpointContext;
import org.eclipse.californium.elements.EndpointContext;
import org.eclipse.californium.elements.MessageCallback;
import org.eclipse.californium.elements.RawData;
import org.eclipse.californium.elements.auth.RawPublicKeyIdentity;
import org.eclipse.californium.elements.config.CertificateAuthenticationMode;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.ExtendedMasterSecretMode;
import org.eclipse.californium.scandium.dtls.MaxFragmentLengthExtension.Length;
import org.eclipse.californium.scandium.dtls.pskstore.AdvancedSinglePskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticNewAdvancedCertificateVerifier;

/**
 * A DTLS client or echo server on Scandium, for the interop suites and the benchmarks.
 *
 * <pre>
 * ScandiumPeer server 127.0.0.1:0 [--name value ...]     prints "READY host:port", echoes every datagram
 * ScandiumPeer client 127.0.0.1:5684 [--name value ...]  sends each line of standard input, prints "RECEIVED line"
 * </pre>
 *
 * Names: psk identity:hex, key PKCS#8 DER file, public SPKI DER file (a raw key is offered), cert PEM chain, ca PEM authorities,
 * peer SPKI DER file (a raw key is trusted), cid length, suites names with commas, times connections of a client, mfl bytes, sni name,
 * no-ems yes, anonymous yes (a server asks for no certificate).
 */
public final class ScandiumPeer {
  private static final Map<String, String> OPTIONS = new HashMap<>();

  public static void main(String[] args) throws Exception {
    String[] at = args[1].split(":");
    for (int i = 2; i + 1 < args.length; i += 2) OPTIONS.put(args[i].substring(2), args[i + 1]);
    InetSocketAddress address = new InetSocketAddress(at[0], Integer.parseInt(at[1]));
    if (args[0].equals("server")) serve(address);
    else connect(address);
  }

  private static DtlsConnectorConfig.Builder configure(boolean server, InetSocketAddress bind) throws Exception {
    DtlsConfig.register();
    Configuration configuration = new Configuration();
    configuration.set(DtlsConfig.DTLS_ROLE, server ? DtlsConfig.DtlsRole.SERVER_ONLY : DtlsConfig.DtlsRole.CLIENT_ONLY);
    configuration.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
    configuration.set(DtlsConfig.DTLS_VERIFY_SERVER_CERTIFICATES_SUBJECT, false);
    configuration.set(DtlsConfig.DTLS_RETRANSMISSION_TIMEOUT, 1000, TimeUnit.MILLISECONDS);
    if (OPTIONS.containsKey("connections")) configuration.set(DtlsConfig.DTLS_MAX_CONNECTIONS, Integer.parseInt(OPTIONS.get("connections")));
    if (OPTIONS.containsKey("threads")) {
      configuration.set(DtlsConfig.DTLS_CONNECTOR_THREAD_COUNT, Integer.parseInt(OPTIONS.get("threads")));
      configuration.set(DtlsConfig.DTLS_RECEIVER_THREAD_COUNT, 1);
    }
    if (OPTIONS.containsKey("no-ems")) configuration.set(DtlsConfig.DTLS_EXTENDED_MASTER_SECRET_MODE, ExtendedMasterSecretMode.NONE);
    if (OPTIONS.containsKey("mfl")) configuration.set(DtlsConfig.DTLS_MAX_FRAGMENT_LENGTH, Length.valueOf("BYTES_" + OPTIONS.get("mfl")));
    if (OPTIONS.containsKey("sni")) configuration.set(DtlsConfig.DTLS_USE_SERVER_NAME_INDICATION, true);
    if (OPTIONS.containsKey("anonymous")) configuration.set(DtlsConfig.DTLS_CLIENT_AUTHENTICATION_MODE, CertificateAuthenticationMode.NONE);
    if (OPTIONS.containsKey("cid")) configuration.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, Integer.parseInt(OPTIONS.get("cid")));
    DtlsConnectorConfig.Builder builder = DtlsConnectorConfig.builder(configuration).setAddress(bind);
    if (OPTIONS.containsKey("suites")) builder.setAsListFromText(DtlsConfig.DTLS_CIPHER_SUITES, OPTIONS.get("suites").split(","));
    if (OPTIONS.containsKey("psk")) {
      String[] psk = OPTIONS.get("psk").split(":");
      builder.setAdvancedPskStore(new AdvancedSinglePskStore(psk[0], HexFormat.of().parseHex(psk[1])));
    }
    if (OPTIONS.containsKey("key")) builder.setCertificateIdentityProvider(ownKey());
    if (OPTIONS.containsKey("ca") || OPTIONS.containsKey("peer")) builder.setAdvancedCertificateVerifier(verifier().build());
    return builder;
  }

  private static SingleCertificateProvider ownKey() throws Exception {
    PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(OPTIONS.get("key")))));
    if (OPTIONS.containsKey("public")) return new SingleCertificateProvider(key, publicKey("public"));
    return new SingleCertificateProvider(key, certificates("cert"), CertificateType.X_509);
  }

  private static StaticNewAdvancedCertificateVerifier.Builder verifier() throws Exception {
    StaticNewAdvancedCertificateVerifier.Builder verifier = StaticNewAdvancedCertificateVerifier.builder();
    if (OPTIONS.containsKey("ca")) verifier.setTrustedCertificates(certificates("ca"));
    if (OPTIONS.containsKey("peer")) verifier.setTrustedRPKs(new RawPublicKeyIdentity(publicKey("peer")));
    return verifier;
  }

  private static PublicKey publicKey(String name) throws Exception {
    return KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(Files.readAllBytes(Path.of(OPTIONS.get(name)))));
  }

  private static Certificate[] certificates(String name) throws Exception {
    try (FileInputStream input = new FileInputStream(OPTIONS.get(name))) {
      return CertificateFactory.getInstance("X.509").generateCertificates(input).toArray(new Certificate[0]);
    }
  }

  private static void report(EndpointContext context) {
    System.out.println("CONNECTED suite=" + context.get(DtlsEndpointContext.KEY_CIPHER) + " session=" + context.get(DtlsEndpointContext.KEY_SESSION_ID)
        + " write-cid=" + context.get(DtlsEndpointContext.KEY_WRITE_CONNECTION_ID) + " identity=" + context.getPeerIdentity());
  }

  private static void serve(InetSocketAddress bind) throws Exception {
    boolean quiet = OPTIONS.containsKey("quiet");
    DTLSConnector connector = new DTLSConnector(configure(true, bind).build());
    connector.setRawDataReceiver(raw -> {
      if (!quiet) report(raw.getEndpointContext());
      connector.send(RawData.outbound(raw.getBytes(), raw.getEndpointContext(), null, false));
    });
    connector.start();
    System.out.println("READY " + bind.getHostString() + ":" + connector.getAddress().getPort());
    Thread.currentThread().join();
  }

  private static void connect(InetSocketAddress server) throws Exception {
    List<String> lines = new ArrayList<>();
    try (BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = input.readLine(); line != null; line = input.readLine()) lines.add(line);
    }
    BlockingQueue<RawData> received = new LinkedBlockingQueue<>();
    DTLSConnector connector = new DTLSConnector(configure(false, new InetSocketAddress(server.getAddress(), 0)).build());
    connector.setRawDataReceiver(received::add);
    connector.start();
    int times = Integer.parseInt(OPTIONS.getOrDefault("times", "1"));
    for (int i = 0; i < times; i++) {
      if (i > 0) connector.forceResumeAllSessions();
      exchange(connector, server, lines, received);
    }
    connector.close(server);
    // The alert leaves on the connector's own thread, and stop drops what that thread has not begun.
    Thread.sleep(500);
    connector.stop();
    connector.destroy();
    System.exit(0);
  }

  private static void exchange(DTLSConnector connector, InetSocketAddress server, List<String> lines, BlockingQueue<RawData> received) throws Exception {
    boolean reported = false;
    for (String line : lines) {
      connector.send(RawData.outbound(line.getBytes(StandardCharsets.UTF_8), new AddressEndpointContext(server, OPTIONS.get("sni"), null), callback(), false));
      RawData answer = received.poll(15, TimeUnit.SECONDS);
      if (answer == null) {
        System.out.println("FAILED no answer");
        System.exit(1);
      }
      if (!reported) report(answer.getEndpointContext());
      reported = true;
      System.out.println("RECEIVED " + new String(answer.getBytes(), StandardCharsets.UTF_8));
    }
  }

  private static MessageCallback callback() {
    return new MessageCallback() {
      @Override
      public void onConnecting() {}

      @Override
      public void onDtlsRetransmission(int flight) {}

      @Override
      public void onContextEstablished(EndpointContext context) {}

      @Override
      public void onSent() {}

      @Override
      public void onError(Throwable error) {
        System.out.println("FAILED " + error.getMessage());
        System.exit(1);
      }
    };
  }
}
