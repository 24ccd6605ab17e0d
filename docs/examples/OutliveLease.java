import com.datastax.oss.driver.api.core.CqlSession;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Queries an Astra database without a pause, with credentials that end.
 *
 * <p>When two thirds of a lease are over, a new session is made from a new credential. The old
 * session is closed while its lease still lives, and late enough for statements that still run in
 * it.
 *
 * <pre>VAULT_ADDR=… VAULT_TOKEN=… java -cp 'jars/*' OutliveLease.java scb.zip astra/creds/app</pre>
 *
 * <p>Needs Java 17 and java-driver-core 4, which brings Jackson. Ends with SIGTERM or Ctrl-C.
 */
public class OutliveLease {
  private record Connected(CqlSession session, long leaseMillis) {}

  private static final HttpClient VAULT = HttpClient.newHttpClient();
  private static final ScheduledExecutorService TIMER =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "credentials");
            thread.setDaemon(true);
            return thread;
          });

  private final Path bundle;
  private final URI credential;

  /** Always that of the newest credential. */
  private volatile CqlSession session;

  private OutliveLease(String bundle, String path) throws IOException, InterruptedException {
    this.bundle = Path.of(bundle);
    this.credential = URI.create(System.getenv("VAULT_ADDR") + "/v1/" + path);
    Connected first = connect();
    session = first.session();
    renewIn(first.leaseMillis() * 2 / 3);
  }

  /** A session from a new credential, and how long its lease lasts. */
  private Connected connect() throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(credential)
            .header("X-Vault-Token", System.getenv("VAULT_TOKEN"))
            .timeout(Duration.ofMinutes(1))
            .build();
    HttpResponse<String> answer = VAULT.send(request, HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IOException("Vault answers " + answer.statusCode() + ": " + answer.body());
    }
    JsonNode lease = new ObjectMapper().readTree(answer.body());
    JsonNode data = lease.get("data");
    CqlSession made =
        CqlSession.builder()
            .withCloudSecureConnectBundle(bundle)
            .withAuthCredentials("token", data.get("token").asText())
            .withKeyspace(data.get("keyspace").asText())
            .build();
    return new Connected(made, lease.get("lease_duration").asLong() * 1000);
  }

  private void renewIn(long millis) {
    TIMER.schedule(this::renew, millis, TimeUnit.MILLISECONDS);
  }

  private void renew() {
    try {
      Connected next = connect();
      CqlSession old = session;
      session = next.session();
      TIMER.schedule(old::closeAsync, next.leaseMillis() / 6, TimeUnit.MILLISECONDS);
      renewIn(next.leaseMillis() * 2 / 3);
    } catch (Exception error) {
      System.err.println("no new session yet: " + error);
      renewIn(1000);
    }
  }

  public static void main(String[] arguments) throws Exception {
    CountDownLatch stop = new CountDownLatch(1);
    CountDownLatch done = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stop.countDown();
                  try {
                    done.await();
                  } catch (InterruptedException error) {
                    Thread.currentThread().interrupt();
                  }
                }));
    OutliveLease database = new OutliveLease(arguments[0], arguments[1]);
    long good = 0;
    long failed = 0;
    while (!stop.await(100, TimeUnit.MILLISECONDS)) {
      try {
        database.session.execute("SELECT release_version FROM system.local").one();
        good++;
      } catch (RuntimeException error) {
        failed++;
        System.err.println("a statement failed: " + error);
      }
    }
    System.out.println(good + " statements went well, " + failed + " failed");
    done.countDown();
  }
}
