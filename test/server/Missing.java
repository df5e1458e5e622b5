// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.ResourceNotFoundException;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.ActionRequest;
import org.elasticsearch.action.ActionResponse;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.action.support.HandledTransportAction;
import org.elasticsearch.action.support.master.AcknowledgedResponse;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.metadata.ItemUsage;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.common.util.concurrent.EsExecutors;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.action.RestChunkedToXContentListener;
import org.elasticsearch.rest.action.RestToXContentListener;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xpack.core.ilm.DeleteAction;
import org.elasticsearch.xpack.core.ilm.LifecycleAction;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicy;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;
import org.elasticsearch.xpack.core.ilm.LifecycleType;
import org.elasticsearch.xpack.core.ilm.RolloverAction;
import org.elasticsearch.xpack.core.ilm.TimeseriesLifecycleType;
import org.elasticsearch.xpack.core.ilm.action.DeleteLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.GetLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.ILMActions;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

/**
 * What a node with security and lifecycles needs that is in none of the artifacts. Lifecycle policies are read, checked, written and permitted by
 * Elasticsearch's own code; what is missing, and is here, is the way from a request to it and the place they are kept.
 * Security's own index wants two filters and a tokenizer.
 */
public final class Missing extends Plugin implements ActionPlugin, AnalysisPlugin {
    private static final Map<String, LifecyclePolicy> POLICIES = new ConcurrentHashMap<>();

    @Override
    public List<Setting<?>> getSettings() {
        return List.of(LifecycleSettings.LIFECYCLE_NAME_SETTING, LifecycleSettings.LIFECYCLE_SKIP_SETTING,
            LifecycleSettings.LIFECYCLE_INDEXING_COMPLETE_SETTING);
    }

    @Override
    public List<NamedXContentRegistry.Entry> getNamedXContent() {
        return List.of(
            new NamedXContentRegistry.Entry(LifecycleType.class, new ParseField(TimeseriesLifecycleType.TYPE), p -> TimeseriesLifecycleType.INSTANCE),
            new NamedXContentRegistry.Entry(LifecycleAction.class, new ParseField(RolloverAction.NAME), RolloverAction::parse),
            new NamedXContentRegistry.Entry(LifecycleAction.class, new ParseField(DeleteAction.NAME), DeleteAction::parse));
    }

    @Override
    public Collection<ActionHandler<? extends ActionRequest, ? extends ActionResponse>> getActions() {
        return List.of(
            new ActionHandler<>(ILMActions.PUT, Put.class),
            new ActionHandler<>(GetLifecycleAction.INSTANCE, Get.class),
            new ActionHandler<>(DeleteLifecycleAction.INSTANCE, Delete.class));
    }

    public static final class Put extends HandledTransportAction<PutLifecycleRequest, AcknowledgedResponse> {
        @Inject
        public Put(TransportService transport, ActionFilters filters) {
            super(ILMActions.PUT.name(), transport, filters, PutLifecycleRequest::new, EsExecutors.DIRECT_EXECUTOR_SERVICE);
        }

        @Override
        protected void doExecute(Task task, PutLifecycleRequest request, ActionListener<AcknowledgedResponse> listener) {
            POLICIES.put(request.getPolicy().getName(), request.getPolicy());
            listener.onResponse(AcknowledgedResponse.TRUE);
        }
    }

    public static final class Get extends HandledTransportAction<GetLifecycleAction.Request, GetLifecycleAction.Response> {
        @Inject
        public Get(TransportService transport, ActionFilters filters) {
            super(GetLifecycleAction.NAME, transport, filters, GetLifecycleAction.Request::new, EsExecutors.DIRECT_EXECUTOR_SERVICE);
        }

        @Override
        protected void doExecute(Task task, GetLifecycleAction.Request request, ActionListener<GetLifecycleAction.Response> listener) {
            var found = new ArrayList<GetLifecycleAction.LifecyclePolicyResponseItem>();
            for (String name : request.getPolicyNames()) {
                LifecyclePolicy policy = POLICIES.get(name);
                if (policy == null) {
                    listener.onFailure(new ResourceNotFoundException("Lifecycle policy not found: {}", name));
                    return;
                }
                found.add(new GetLifecycleAction.LifecyclePolicyResponseItem(policy, 1, Instant.now().toString(), new ItemUsage(List.of(), List.of(), List.of())));
            }
            listener.onResponse(new GetLifecycleAction.Response(found));
        }
    }

    public static final class Delete extends HandledTransportAction<DeleteLifecycleAction.Request, AcknowledgedResponse> {
        @Inject
        public Delete(TransportService transport, ActionFilters filters) {
            super(DeleteLifecycleAction.NAME, transport, filters, DeleteLifecycleAction.Request::new, EsExecutors.DIRECT_EXECUTOR_SERVICE);
        }

        @Override
        protected void doExecute(Task task, DeleteLifecycleAction.Request request, ActionListener<AcknowledgedResponse> listener) {
            if (POLICIES.remove(request.getPolicyName()) == null) {
                listener.onFailure(new ResourceNotFoundException("Lifecycle policy not found: {}", request.getPolicyName()));
                return;
            }
            listener.onResponse(AcknowledgedResponse.TRUE);
        }
    }

    @Override
    public Collection<RestHandler> getRestHandlers(Settings settings, NamedWriteableRegistry writeables, RestController controller,
        ClusterSettings clusterSettings, IndexScopedSettings indexSettings, SettingsFilter filter,
        IndexNameExpressionResolver resolver, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        return List.of(new Lifecycles());
    }

    private static final class Lifecycles extends BaseRestHandler {
        @Override
        public String getName() {
            return "lifecycles";
        }

        @Override
        public List<Route> routes() {
            String path = "/_ilm/policy/{name}";
            return List.of(new Route(RestRequest.Method.PUT, path), new Route(RestRequest.Method.GET, path),
                new Route(RestRequest.Method.DELETE, path));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) throws IOException {
            String name = request.param("name");
            TimeValue wait = TimeValue.timeValueSeconds(30);
            switch (request.method()) {
                case PUT:
                    try (var parser = request.contentParser()) {
                        PutLifecycleRequest put = PutLifecycleRequest.parseRequest(new PutLifecycleRequest.Factory() {
                            @Override
                            public PutLifecycleRequest create(LifecyclePolicy policy) {
                                return new PutLifecycleRequest(wait, wait, policy);
                            }

                            @Override
                            public String getPolicyName() {
                                return name;
                            }
                        }, parser);
                        return channel -> client.execute(ILMActions.PUT, put, new RestToXContentListener<>(channel));
                    }
                case GET:
                    var get = new GetLifecycleAction.Request(wait, wait, name);
                    return channel -> client.execute(GetLifecycleAction.INSTANCE, get, new RestChunkedToXContentListener<>(channel));
                default:
                    var delete = new DeleteLifecycleAction.Request(wait, wait, name);
                    return channel -> client.execute(DeleteLifecycleAction.INSTANCE, delete, new RestToXContentListener<>(channel));
            }
        }
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of(
            "pattern_capture", AnalysisPlugin.requiresAnalysisSettings((index, environment, name, settings) -> {
                Pattern[] patterns = settings.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
                boolean keep = settings.getAsBoolean("preserve_original", true);
                return new AbstractTokenFilterFactory(name, settings) {
                    @Override
                    public TokenStream create(TokenStream in) {
                        return new PatternCaptureGroupTokenFilter(in, keep, patterns);
                    }
                };
            }),
            // Tokens that come twice do no harm to the index.
            "unique", (index, environment, name, settings) -> new AbstractTokenFilterFactory(name, settings) {
                @Override
                public TokenStream create(TokenStream in) {
                    return in;
                }
            });
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("uax_url_email", (index, environment, name, settings) -> TokenizerFactory.newFactory(name, UAX29URLEmailTokenizer::new));
    }
}
