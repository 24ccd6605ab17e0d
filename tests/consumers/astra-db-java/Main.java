import com.datastax.astra.client.DataAPIClient;
import com.datastax.astra.client.collections.Collection;
import com.datastax.astra.client.collections.definition.documents.Document;
import com.datastax.astra.client.core.query.Filter;
import com.datastax.astra.client.databases.Database;
import com.datastax.astra.client.exceptions.DataAPIException;
import java.util.List;
import java.util.Map;

/** astra-db-java: what an application does first (../README.md). Arguments: endpoint, keyspace. */
public class Main {
  private static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  public static void main(String[] arguments) {
    // It adds this path to Astra's own names only.
    Database database =
        new DataAPIClient(System.getenv("ASTRA_PASSWORD"))
            .getDatabase(arguments[0] + "/api/json", arguments[1]);
    try {
      database.listCollectionNames();
    } catch (DataAPIException error) {
      System.out.println(error.getMessage().replaceAll("\\s+", " "));
      System.exit(3);
    }
    String name = "from_java";
    Collection<Document> collection = database.createCollection(name);
    check(database.listCollectionNames().contains(name), "the collection is listed");
    check(database.listTableNames().isEmpty(), "there are no tables");
    collection.insertOne(new Document("a").append("n", 1));
    collection.insertMany(List.of(new Document("b").append("n", 2), new Document().append("n", 2)));
    check(collection.findById("a").orElseThrow().getInteger("n") == 1, "a document is found");
    check(collection.findById("z").isEmpty(), "another is not");
    Filter two = new Filter(Map.of("n", 2));
    check(collection.find(two).toList().size() == 2, "two are found");
    check(collection.countDocuments(10) == 3, "there are three");
    check(
        collection.deleteOne(new Filter(Map.of("_id", "a"))).getDeletedCount() == 1, "one is deleted");
    check(collection.deleteMany(two).getDeletedCount() == 2, "two are deleted");
    check(collection.countDocuments(10) == 0, "none is left");
    System.out.println("ok");
    System.exit(0);
  }
}
