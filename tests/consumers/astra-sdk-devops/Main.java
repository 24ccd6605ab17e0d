import com.dtsx.astra.sdk.AstraOpsClient;
import com.dtsx.astra.sdk.db.DbOpsClient;
import com.dtsx.astra.sdk.db.domain.Database;
import com.dtsx.astra.sdk.db.domain.RegionType;
import com.dtsx.astra.sdk.exception.AuthenticationException;
import com.dtsx.astra.sdk.org.domain.CreateTokenResponse;
import com.dtsx.astra.sdk.org.domain.DefaultRoles;
import com.dtsx.astra.sdk.org.domain.Permission;
import com.dtsx.astra.sdk.org.domain.RoleDefinition;
import com.dtsx.astra.sdk.utils.AstraEnvironment;
import java.lang.reflect.Field;
import java.util.List;
import java.util.UUID;

/**
 * astra-sdk-devops (../README.md). Arguments: URL of the API; the organization, for tokens and
 * roles, or the word `databases`.
 */
public class Main {
  private static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  /** The SDK knows Astra's own addresses only, and uses no proxy. */
  private static void pointAt(String url) throws ReflectiveOperationException {
    Field endpoint = AstraEnvironment.class.getDeclaredField("endpoint");
    endpoint.setAccessible(true);
    endpoint.set(AstraEnvironment.PROD, url + "/v2");
  }

  private static void databases(AstraOpsClient astra) {
    List<Database> all = astra.db().findAllNonTerminated().toList();
    check(all.size() == 2, "both databases are listed");
    for (Database database : all) {
      check(database.getStorage().getNodeCount() > 0, "a database has a storage");
      check(database.getMetrics() != null, "a database has metrics");
      check(database.getCost() != null, "a database has costs");
      String name = database.getInfo().getName();
      check(astra.db().findByName(name).count() == 1, "it is found by its name");
      DbOpsClient one = astra.db().database(database.getId());
      check(one.get().getStatus() == database.getStatus(), "it is found by its id");
      check(one.keyspaces().exist(database.getInfo().getKeyspace()), "it has its keyspace");
      check(one.datacenters().exist(database.getInfo().getRegion()), "it has its region");
    }
    check(!astra.db().database("invalid").exist(), "an id that is none is not found");
    check(!astra.db().database(UUID.randomUUID().toString()).exist(), "another id is not found");
    check(astra.db().regions().findAllServerless(RegionType.ALL).count() > 0, "there are regions");
  }

  public static void main(String[] arguments) throws ReflectiveOperationException {
    pointAt(arguments[0]);
    String organization = arguments[1];
    AstraOpsClient astra = new AstraOpsClient(System.getenv("ASTRA_PASSWORD"));
    if (organization.equals("databases")) {
      databases(astra);
      System.out.println("ok");
      System.exit(0);
    }
    try {
      astra.roles().findAll().count();
    } catch (RuntimeException error) {
      System.out.println(error.toString().replaceAll("\\s+", " "));
      System.exit(3);
    }
    check(astra.getOrganizationId().equals(organization), "the organization is the token's");

    String name = "sdk-" + UUID.randomUUID();
    RoleDefinition definition =
        RoleDefinition.builder(organization)
            .name(name)
            .description("made by the SDK")
            .addPermision(Permission.db_cql)
            .addResourceAllDatabases()
            .build();
    String role = astra.roles().create(definition).getRoleId();
    check(astra.roles().getByName(name).getId().equals(role), "the role is found by its name");
    check(astra.roles().get(role).getPolicy().getActions().contains("db-cql"), "it has its action");
    astra.roles().update(role, definition);
    CreateTokenResponse made = astra.tokens().create(role);
    CreateTokenResponse other = astra.tokens().create(DefaultRoles.API_READ_ONLY_USER);
    check(made.getToken().startsWith("AstraCS:" + made.getClientId()), "a token has its client id");
    check(made.getRoles().contains(role), "a token has its role");
    check(astra.tokens().exist(made.getClientId()), "the token is listed");
    check(astra.tokens().findById(other.getClientId()).isPresent(), "the other one too");
    astra.tokens().delete(made.getClientId());
    astra.tokens().delete(other.getClientId());
    check(!astra.tokens().exist(made.getClientId()), "a deleted token is not listed");
    astra.roles().delete(role);
    check(!astra.roles().exist(role), "a deleted role is gone");
    System.out.println("ok");
    System.exit(0);
  }
}
