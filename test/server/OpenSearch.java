// SPDX-License-Identifier: Apache-2.0

import java.nio.file.Path;
import java.util.List;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.ingest.common.IngestCommonPlugin;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.script.mustache.MustachePlugin;
import org.opensearch.transport.Netty4Plugin;

/** Runs one node of OpenSearch until its standard input ends: HOME DATA PORT. */
public final class OpenSearch {
    public static void main(String[] args) throws Exception {
        Settings settings = Settings.builder()
            .put("path.home", args[0])
            .put("path.data", args[1])
            .put("path.logs", args[1])
            .put("http.port", args[2])
            .put("transport.port", 0)
            .put("cluster.name", "vedette")
            .put("node.name", "vedette")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        OpenSearchRunnerNode node = new OpenSearchRunnerNode(
            new Environment(settings, Path.of(args[0], "config")),
            List.of(Netty4Plugin.class, PainlessPlugin.class, MustachePlugin.class, IngestCommonPlugin.class, MapperExtrasPlugin.class));
        node.start();
        while (System.in.read() >= 0) {}
        node.close();
        System.exit(0);
    }
}
