import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.batch2.jobs.export.BulkDataExportProvider;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binstore.DatabaseBinaryContentStorageSvcImpl;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirPostgresDialect;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import javax.sql.DataSource;
import org.apache.commons.dbcp2.BasicDataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;

/**
 * HAPI FHIR's JPA server (R4) on loopback: the parts of hapiproject/hapi that a screening uses, with its defaults.
 *
 * Prints its base URL when it is ready. System properties: `port` (default: a free one), `url`, `user` and `password` of
 * the database (H2 or PostgreSQL), `page` (the largest page), and `certificate` (a PKCS12 file, if it is to speak TLS).
 */
@Configuration
@Import({
    JpaR4Config.class,
    HapiJpaConfig.class,
    JpaBatch2Config.class,
    Batch2JobsConfig.class,
    SubscriptionChannelConfig.class,
    ThreadPoolFactoryConfig.class
})
public class Hapi {
    private static final String URL = System.getProperty("url");
    private static final int LARGEST_PAGE = Integer.getInteger("page", Integer.MAX_VALUE);

    public static void main(String[] arguments) throws Exception {
        var context = new AnnotationConfigApplicationContext(Hapi.class);
        var server = new Server();
        var connector = connector(server, System.getProperty("certificate"));
        server.addConnector(connector);
        var handler = new ServletContextHandler();
        handler.addServlet(new ServletHolder(context.getBean(RestfulServer.class)), "/fhir/*");
        server.setHandler(handler);
        server.start();
        String scheme = System.getProperty("certificate") == null ? "http" : "https";
        System.out.printf("%s://127.0.0.1:%d/fhir%n", scheme, connector.getLocalPort());
        server.join();
    }

    private static ServerConnector connector(Server server, String certificate) {
        var settings = new HttpConfiguration();
        var http = new HttpConnectionFactory(settings);
        var connector = new ServerConnector(server, http);
        if (certificate != null) {
            var tls = new SslContextFactory.Server();
            tls.setKeyStorePath(certificate);
            tls.setKeyStorePassword("hapi");
            settings.addCustomizer(new SecureRequestCustomizer(false));
            connector = new ServerConnector(server, new SslConnectionFactory(tls, "http/1.1"), http);
        }
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.getInteger("port", 0));
        return connector;
    }

    @Bean
    RestfulServer restfulServer(
            FhirContext fhir,
            ResourceProviderFactory resources,
            IJpaSystemProvider system,
            BulkDataExportProvider export,
            DatabaseBackedPagingProvider pages,
            IFhirSystemDao<?, ?> dao,
            JpaStorageSettings settings,
            ISearchParamRegistry parameters,
            IValidationSupport validation) {
        pages.setDefaultPageSize(20);
        pages.setMaximumPageSize(LARGEST_PAGE);
        var server = new RestfulServer(fhir);
        server.registerProviders(resources.createProviders());
        server.registerProviders(system, export);
        server.setPagingProvider(pages);
        server.setServerConformanceProvider(
                new JpaCapabilityStatementProvider(server, dao, settings, parameters, validation));
        return server;
    }

    @Bean
    JpaStorageSettings storageSettings() {
        var settings = new JpaStorageSettings();
        settings.setFetchSizeDefaultMaximum(LARGEST_PAGE);
        settings.setSearchPreFetchThresholds(List.of(13, 503, 2003, -1));
        return settings;
    }

    @Bean
    DataSource dataSource() {
        var source = new BasicDataSource();
        source.setUrl(URL);
        source.setUsername(System.getProperty("user", "sa"));
        source.setPassword(System.getProperty("password", ""));
        source.setMaxTotal(10);
        source.setMaxWait(Duration.ofSeconds(30));
        return source;
    }

    @Bean
    LocalContainerEntityManagerFactoryBean entityManagerFactory(
            DataSource source, ConfigurableListableBeanFactory beans, FhirContext fhir, JpaStorageSettings settings) {
        var factory = HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, fhir, settings);
        var dialect = URL.startsWith("jdbc:h2") ? HapiFhirH2Dialect.class : HapiFhirPostgresDialect.class;
        factory.setPersistenceUnitName("hapi");
        factory.setDataSource(source);
        factory.setJpaPropertyMap(Map.of(
                "hibernate.dialect", dialect.getName(),
                "hibernate.hbm2ddl.auto", "update",
                "hibernate.jdbc.batch_size", "20",
                "hibernate.search.enabled", "false"));
        return factory;
    }

    @Bean
    JpaTransactionManager transactionManager(EntityManagerFactory factory) {
        return new JpaTransactionManager(factory);
    }

    @Bean
    PartitionSettings partitionSettings() {
        return new PartitionSettings();
    }

    @Bean
    SubscriptionSettings subscriptionSettings() {
        return new SubscriptionSettings();
    }

    @Bean
    IBinaryStorageSvc binaryStorage() {
        return new DatabaseBinaryContentStorageSvcImpl();
    }
}
