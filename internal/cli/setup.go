// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	shipped "github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/internal/elastic"
	"github.com/vedette-sec/vedette/internal/elastic/kibana"
	"github.com/vedette-sec/vedette/internal/rules"
)

// Environment variables that hold what is not for command lines, which everybody on the host can read.
const (
	elasticAPIKeyEnv   = "VEDETTE_ELASTIC_API_KEY"
	elasticPasswordEnv = "VEDETTE_ELASTIC_PASSWORD"
)

// setupFlags are what is to be set up, and how it is reached.
type setupFlags struct {
	elasticsearch, kibana string
	user, caFile, space   string
	dryRun, remove        bool
	asJSON                bool
}

func newSetupCommand() *cobra.Command {
	var f setupFlags
	command := &cobra.Command{
		Use:   "setup elasticsearch|kibana...",
		Short: "Installs what Elasticsearch and Kibana need for Vedette's documents",
		Long: "Installs what Elasticsearch and Kibana need for Vedette's documents: index templates, retention and the ingest\n" +
			"pipeline; the data view, saved searches and dashboards. It can be run again at any time, and changes only what is\n" +
			"not as it should be. What the server cannot do is left out and said. --remove takes everything away again; the\n" +
			"documents stay.\n\n" +
			"Credentials come from the environment: " + elasticAPIKeyEnv + ", or --user with " + elasticPasswordEnv + ".",
		Example: "  vedette setup elasticsearch kibana --elasticsearch https://es:9200 --kibana https://kibana:5601 --dry-run",
		Args:    cobra.MatchAll(cobra.MinimumNArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"elasticsearch", "kibana"},
		RunE: func(cmd *cobra.Command, targets []string) error {
			for _, target := range targets {
				if err := f.run(cmd, target); err != nil {
					return fmt.Errorf("set up %s: %w", target, err)
				}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.elasticsearch, "elasticsearch", "http://127.0.0.1:9200", "address of Elasticsearch or OpenSearch")
	flags.StringVar(&f.kibana, "kibana", "http://127.0.0.1:5601", "address of Kibana")
	flags.StringVar(&f.space, "space", "default", "Kibana space to install into")
	flags.StringVar(&f.user, "user", "", "user, whose password is in "+elasticPasswordEnv)
	flags.StringVar(&f.caFile, "ca-file", "", "PEM file of the authority that signed the servers' certificates")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be done and do nothing")
	flags.BoolVar(&f.remove, "remove", false, "remove instead of install")
	flags.BoolVar(&f.asJSON, "json", false, "write JSON for other programs")
	command.AddCommand(newPackageCommand())
	return command
}

func (f *setupFlags) run(cmd *cobra.Command, target string) error {
	url, set := f.elasticsearch, f.setElasticsearch
	if target == "kibana" {
		url, set = f.kibana, f.setKibana
	}
	client, err := elastic.NewClient(elastic.Connection{
		URL: url, User: f.user, Password: os.Getenv(elasticPasswordEnv), APIKey: os.Getenv(elasticAPIKeyEnv), CAFile: f.caFile,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	report, err := set(cmd.Context(), client)
	if report != nil {
		err = errors.Join(err, f.write(cmd.OutOrStdout(), report))
	}
	return err
}

func (f *setupFlags) setElasticsearch(ctx context.Context, client *elastic.Client) (*elastic.Report, error) {
	if f.remove {
		return client.Remove(ctx, f.dryRun)
	}
	return client.Install(ctx, f.dryRun)
}

func (f *setupFlags) setKibana(ctx context.Context, client *elastic.Client) (*elastic.Report, error) {
	objects, err := kibanaObjects()
	if err != nil {
		return nil, err
	}
	if f.remove {
		return kibana.Remove(ctx, client, f.space, objects, f.dryRun)
	}
	return kibana.Install(ctx, client, f.space, objects, f.dryRun)
}

func kibanaObjects() ([]kibana.Object, error) {
	text, err := shipped.Files.ReadFile(shipped.Dashboards)
	if err != nil {
		return nil, err
	}
	spec, err := kibana.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shipped.Dashboards, err)
	}
	return kibana.Objects(spec)
}

func (f *setupFlags) write(w io.Writer, report *elastic.Report) error {
	if f.asJSON {
		return rules.WriteJSON(w, report)
	}
	if report.DryRun {
		fmt.Fprintln(w, "Nothing is changed; this is what would be:")
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range report.Changes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.Outcome, c.Kind, c.Name, c.Reason)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, note := range report.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	return nil
}

func newPackageCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "package DIR",
		Short: "Writes the dashboards as the folder of an Elastic content package",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			objects, err := kibanaObjects()
			if err != nil {
				return err
			}
			if _, err := kibana.Mark(objects); err != nil {
				return err
			}
			return kibana.WritePackage(args[0], objects)
		},
	}
}
