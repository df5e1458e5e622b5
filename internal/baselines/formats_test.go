// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

var update = flag.Bool("update", false, "write the golden files anew")

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// sample is a report with a rule of each verdict.
func sample() *Report {
	rule := func(id string, s baseline.Severity, clause string) *baseline.Rule {
		r := &baseline.Rule{ID: id, Title: baseline.Text{EN: "Title of " + id, ZH: id + "的标题"}, Rationale: baseline.Text{EN: "Why <" + id + ">.", ZH: "原因"}, Severity: s}
		if clause != "" {
			r.Maps = map[string][]string{"mlps-l3": {clause}, "gbt28448": {"L3-CES1-01"}}
		}
		return r
	}
	wrong := baseline.Evidence{Subject: "account root", Field: "max_days", Actual: "100", Expected: "is at most 90", File: "/etc/shadow", Line: 1}
	waiver := &baseline.Waiver{Rule: "w", Owner: "ops", Approver: "ciso", Reason: "Later.", Expires: at.AddDate(1, 0, 0)}
	scan := &baseline.Report{
		Baseline: &baseline.Baseline{ID: "mlps-l3", Title: baseline.Text{EN: "MLPS level 3", ZH: "等保三级"}}, Started: at, Took: 1500 * time.Millisecond,
		Results: []*baseline.Result{
			{Rule: rule("a.fails", baseline.High, "8.1.4.1.a"), Verdict: baseline.Fail, Evidence: []baseline.Evidence{wrong, {Subject: "=cmd", Actual: "x", OK: true}}},
			{Rule: rule("b.passes", baseline.Critical, "8.1.4.1.a"), Verdict: baseline.Pass},
			{Rule: rule("c.open", baseline.Medium, "8.1.4.10.a"), Verdict: baseline.Failure, Reason: "no right to read"},
			{Rule: rule("d.judge", baseline.Low, "8.1.4.2.b"), Verdict: baseline.Manual, Reason: "Look at it."},
			{Rule: rule("e.waived", baseline.Low, "8.1.4.3.a"), Verdict: baseline.Waived, Waiver: waiver, Evidence: []baseline.Evidence{wrong}},
			{Rule: rule("f.else", baseline.Low, "8.1.4.4.a"), Verdict: baseline.NotApplicable, Reason: "not here"},
			{Rule: rule("g.own", baseline.Medium, ""), Verdict: baseline.Pass},
		},
	}
	return NewReport(scan, "", Host{Name: "web1", System: "debian 12"})
}

func written(t *testing.T, format, language string) []byte {
	var out bytes.Buffer
	require.NoError(t, sample().Write(&out, format, View{Language: language, All: true, Evidence: 3}))
	return out.Bytes()
}

func TestFormats(t *testing.T) {
	for file, as := range map[string][2]string{
		"report.txt": {"text", "en"}, "report.zh.txt": {"text", "zh"}, "report.json": {"json", "en"}, "report.csv": {"csv", "zh"}, "report.sarif": {"sarif", "en"},
		"report.ocsf.jsonl": {"ocsf", "en"}, "report.xccdf.xml": {"xccdf", "zh"}, "report.html": {"html", "en"},
	} {
		have := written(t, as[0], as[1])
		golden := filepath.Join("testdata", file)
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(golden, have, 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(have), file)
	}
	assert.ErrorContains(t, sample().Write(&bytes.Buffer{}, "pdf", View{}), `found the format "pdf", expected one of csv, html`)
}

func TestClauses(t *testing.T) {
	r := sample()
	assert.Equal(t, "mlps-l3", r.Standard())
	found := map[string]Conformity{}
	var order []string
	for _, c := range r.Clauses() {
		found[c.ID] = c.Conformity
		order = append(order, c.ID)
	}
	assert.Equal(t, []string{"8.1.4.1.a", "8.1.4.2.b", "8.1.4.3.a", "8.1.4.4.a", "8.1.4.10.a", ""}, order, "numbers are compared as numbers")
	assert.Equal(t, map[string]Conformity{
		"8.1.4.1.a": Partly, "8.1.4.2.b": Open, "8.1.4.3.a": NotConforming, "8.1.4.4.a": Irrelevant, "8.1.4.10.a": Open, "": Conforming,
	}, found)
	assert.Equal(t, "剩余信息保护", pointOf("mlps-l3", "8.1.4.10.a").ZH)
	assert.Equal(t, "剩余信息保护", pointOf("mlps-l2", "7.1.4.9").ZH)
	assert.Empty(t, pointOf("cis-debian12", "5.1.1").EN)
	r.Template = "own"
	assert.Equal(t, "mlps-l3", r.Standard(), "the one with the most clauses")
}

func TestScore(t *testing.T) {
	r := sample()
	assert.Equal(t, 10*100/14, *r.Score, "critical and medium pass, high fails")
	_, ok := Score(nil)
	assert.False(t, ok)
}

func TestCSVHasNoFormulas(t *testing.T) {
	lines, err := csv.NewReader(bytes.NewReader(written(t, "csv", "en"))).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 8)
	assert.Equal(t, []string{"gbt28448", "mlps-l3"}, lines[0][11:])
	assert.Equal(t, "'=1+1", harmless("=1+1"))
	assert.Equal(t, "a=1", harmless("a=1"))
}

func TestOCSFIsOneFindingALine(t *testing.T) {
	for line := range bytes.Lines(written(t, "ocsf", "en")) {
		var finding map[string]any
		require.NoError(t, json.Unmarshal(line, &finding))
		assert.InDelta(t, 200301, finding["type_uid"], 0)
	}
}

// xccdfSchema is where Debian's openscap-common has it.
const xccdfSchema = "/usr/share/openscap/schemas/xccdf/1.2/xccdf_1.2.xsd"

func TestXCCDFKeepsToTheSchema(t *testing.T) {
	if _, err := exec.LookPath("xmllint"); err != nil {
		ring.Cannot(t, "xmllint is not installed")
	}
	if _, err := os.Stat(xccdfSchema); err != nil {
		ring.Cannot(t, "the schema of XCCDF is not there: "+xccdfSchema)
	}
	file := filepath.Join(t.TempDir(), "report.xml")
	require.NoError(t, os.WriteFile(file, written(t, "xccdf", "en"), 0o600))
	out, err := exec.Command("xmllint", "--noout", "--nonet", "--schema", xccdfSchema, file).CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

func TestHTMLWorksInABrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium-headless-shell")
	if err != nil {
		ring.Cannot(t, "chromium-headless-shell is not installed")
	}
	page := written(t, "html", "en")
	// What a person would do, before the browser tells what the page has become.
	page = bytes.Replace(page, []byte("</body>"), []byte(`<script>
document.getElementById("language").click();
var filter = document.getElementById("filter"); filter.value = "fail"; filter.onchange();
var shown = Array.from(document.querySelectorAll("details")).filter(function (d) { return d.offsetParent !== null; });
var visible = document.querySelector("h1").innerText;
document.body.innerHTML = "<pre>" + shown.length + " " + shown[0].dataset.verdict + " " + visible + "</pre>";
</script></body>`), 1)
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, page, 0o600))
	out, err := exec.Command(browser, "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom", "file://"+file).Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "<pre>1 fail 安全基线核查报告: 等保三级</pre>")
}
