import com.datastax.driver.core.Cluster;
import com.datastax.driver.core.Session;
import com.datastax.driver.core.exceptions.AuthenticationException;
import com.datastax.driver.core.exceptions.NoHostAvailableException;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** The legacy Java driver 3 (../README.md). */
public class Main {
  private static Session kept;

  private static void statement(Session session) {
    String v = session.execute("SELECT v FROM t").one().getString("v");
    if (!"one".equals(v)) throw new IllegalStateException("unexpected value " + v);
  }

  private static Session connected(String[] parts) {
    Cluster cluster =
        Cluster.builder()
            .withCloudSecureConnectBundle(new File(parts[1]))
            .withCredentials(parts[2], parts[3])
            .build();
    try {
      Session session = cluster.connect(parts[4]);
      statement(session);
      return session;
    } catch (RuntimeException error) {
      cluster.close();
      throw error;
    }
  }

  private static void answer(String[] parts) {
    switch (parts[0]) {
      case "new" -> connected(parts).getCluster().close();
      case "keep" -> kept = connected(parts);
      case "ask" -> statement(kept);
      default -> throw new IllegalArgumentException("unknown request " + parts[0]);
    }
  }

  private static String line(String word, Exception error) {
    return (word + " " + error).replaceAll("\\s+", " ");
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String read = input.readLine(); read != null; read = input.readLine()) {
      try {
        answer(read.split("\t"));
        System.out.println("ok");
      } catch (AuthenticationException | NoHostAvailableException error) {
        System.out.println(line("refused", error));
      } catch (Exception error) {
        System.out.println(line("failed", error));
      }
    }
    System.exit(0);
  }
}
