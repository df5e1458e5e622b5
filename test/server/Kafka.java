// SPDX-License-Identifier: Apache-2.0

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Runs one broker of Kafka, which is its own controller, until its standard input ends: HOME DATA PORT CONTROLLER-PORT. */
public final class Kafka {
    public static void main(String[] args) throws Exception {
        Path log = Path.of(args[1], "log");
        Path properties = Path.of(args[1], "server.properties");
        String controller = args[3];
        Files.write(properties, List.of(
            "process.roles=broker,controller",
            "node.id=1",
            "controller.quorum.voters=1@127.0.0.1:" + controller,
            "listeners=PLAINTEXT://127.0.0.1:" + args[2] + ",CONTROLLER://127.0.0.1:" + controller,
            "advertised.listeners=PLAINTEXT://127.0.0.1:" + args[2],
            "controller.listener.names=CONTROLLER",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs=" + log,
            "num.partitions=1",
            "offsets.topic.num.partitions=1",
            "offsets.topic.replication.factor=1",
            "group.initial.rebalance.delay.ms=0"));
        if (!Files.exists(log)) {
            kafka.tools.StorageTool.execute(
                new String[] {"format", "--config", properties.toString(), "--cluster-id", "dmVkZXR0ZS10ZXN0cy0xMg"}, System.out);
        }
        Thread end = new Thread(Kafka::awaitEnd);
        end.setDaemon(true);
        end.start();
        kafka.Kafka.main(new String[] {properties.toString()});
    }

    private static void awaitEnd() {
        try {
            while (System.in.read() >= 0) {}
        } catch (java.io.IOException ended) {
            // Whoever held the other end is gone.
        }
        System.exit(0);
    }
}
