// SPDX-License-Identifier: Apache-2.0

import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.KeyStoreWrapper;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** Runs one node of Elasticsearch until its standard input ends: HOME DATA PORT, and with security the PASSWORD of elastic. */
public final class Elasticsearch {
    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]);
        Settings.Builder builder = Settings.builder()
            .put("path.home", home)
            .put("path.data", args[1])
            .put("path.logs", args[1])
            .put("http.port", args[2])
            .put("transport.port", 0)
            .put("cluster.name", "vedette")
            .put("node.name", "vedette")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("cluster.routing.allocation.disk.threshold_enabled", false);
        if (args.length > 3) {
            KeyStoreWrapper keys = KeyStoreWrapper.create();
            keys.setString("bootstrap.password", args[3].toCharArray());
            builder.setSecureSettings(keys)
                .put("xpack.security.enabled", true)
                .put("xpack.security.autoconfiguration.enabled", false)
                .put("xpack.security.http.ssl.enabled", false)
                .put("xpack.security.transport.ssl.enabled", false);
        }
        Settings settings = builder.build();
        LogConfigurator.setClusterName("vedette");
        LogConfigurator.setNodeName("vedette");
        Environment environment = new Environment(settings, home.resolve("config"));
        LogConfigurator.configureESLogging();
        Node node = new Node(environment, PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir()),
            PluginsLoader.loadPluginsBundles(environment.pluginsDir()),
            Map.of()));
        node.start();
        while (System.in.read() >= 0) {}
        node.close();
        System.exit(0);
    }
}
