import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import net.spy.memcached.CASValue;
import net.spy.memcached.CachedData;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.ConnectionFactoryBuilder.Protocol;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.transcoders.Transcoder;

/** Reads and tries to write with spymemcached, on the port and in the protocol that it is told. */
public class UseSpymemcached {
  /** The values are those of any program, and not Java's. */
  static final Transcoder<byte[]> BYTES =
      new Transcoder<>() {
        public boolean asyncDecode(CachedData data) {
          return false;
        }

        public CachedData encode(byte[] value) {
          return new CachedData(0, value, getMaxSize());
        }

        public byte[] decode(CachedData data) {
          return data.getData();
        }

        public int getMaxSize() {
          return CachedData.MAX_SIZE;
        }
      };

  static MemcachedClient client;

  static String quoted(String text) {
    return text == null ? "null" : '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  static String sum(byte[] value) throws Exception {
    if (value == null) return "null";
    StringBuilder hex = new StringBuilder();
    for (byte part : MessageDigest.getInstance("MD5").digest(value)) {
      hex.append(String.format("%02x", part));
    }
    return quoted(hex.toString());
  }

  static String attempt(Callable<Object> call) {
    try {
      Object answer = call.call();
      return answer instanceof Boolean || answer instanceof Number
          ? answer.toString()
          : quoted(String.valueOf(answer));
    } catch (Exception error) {
      return quoted(error.toString());
    }
  }

  public static void main(String[] args) throws Exception {
    System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
    Protocol protocol = args[1].equals("binary") ? Protocol.BINARY : Protocol.TEXT;
    client =
        new MemcachedClient(
            new ConnectionFactoryBuilder().setProtocol(protocol).setOpTimeout(5000).build(),
            List.of(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0]))));

    StringJoiner values = new StringJoiner(",", "{", "}");
    for (String key : List.of("plain", "empty", "large", "unicode", "binary", "none")) {
      values.add(quoted(key) + ":" + sum(client.get(key, BYTES)));
    }
    List<String> keys = new ArrayList<>();
    for (int at = 0; at < 100; at++) keys.add("k" + at);
    StringJoiner many = new StringJoiner(",", "{", "}");
    for (Map.Entry<String, byte[]> hit : client.getBulk(keys, BYTES).entrySet()) {
      many.add(quoted(hit.getKey()) + ":" + sum(hit.getValue()));
    }
    CASValue<byte[]> gets = client.gets("plain", BYTES);

    byte[] other = "other".getBytes();
    byte[] large = new byte[300_000];
    Map<String, Callable<Object>> calls = new HashMap<>();
    calls.put("set", () -> client.set("plain", 0, other, BYTES).get());
    calls.put("long set", () -> client.set("plain", 0, large, BYTES).get());
    calls.put("add", () -> client.add("plain", 0, other, BYTES).get());
    calls.put("replace", () -> client.replace("plain", 0, other, BYTES).get());
    calls.put("append", () -> client.append(gets.getCas(), "plain", other, BYTES).get());
    calls.put("cas", () -> client.cas("plain", gets.getCas(), other, BYTES));
    calls.put("incr", () -> client.incr("plain", 1));
    calls.put("delete", () -> client.delete("plain").get());
    calls.put("touch", () -> client.touch("plain", 60).get());
    StringJoiner writes = new StringJoiner(",", "[", "]");
    for (Map.Entry<String, Callable<Object>> one : calls.entrySet()) {
      String answer = attempt(one.getValue());
      String after = sum(client.get("plain", BYTES));
      writes.add(
          String.format(
              "{\"name\":%s,\"answer\":%s,\"after\":%s}", quoted(one.getKey()), answer, after));
    }
    String items = client.getStats().values().iterator().next().get("curr_items");

    System.out.println("swap");
    System.in.read();
    String swapped = new String(client.get("plain", BYTES));
    System.out.printf(
        "{\"values\":%s,\"many\":%s,\"writes\":%s,\"gets\":%s,\"items\":%s,\"swapped\":%s}%n",
        values, many, writes, quoted(new String(gets.getValue())), items, quoted(swapped));
    client.shutdown(5, TimeUnit.SECONDS);
  }
}
