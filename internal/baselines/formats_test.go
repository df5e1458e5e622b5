// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

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
	judged := rule("d.judge", baseline.Low, "8.1.4.2.b")
	judged.Manual = &baseline.Text{EN: "Look at it.", ZH: "请查看。"}
	// What somebody may call a file, to be shown to root.
	hostile := baseline.Evidence{Subject: "/tmp/\x1b[2J<script>document.title='run'</script>\n\u202e\xff", Field: "mode", Actual: "0666", Expected: "has no bits but 0664", File: "/tmp/x"}
	scan := &baseline.Report{
		Baseline: &baseline.Baseline{ID: "mlps-l3", Title: baseline.Text{EN: "MLPS level 3", ZH: "等保三级"}}, Started: at, Took: 1500 * time.Millisecond,
		Results: []*baseline.Result{
			{Rule: rule("a.fails", baseline.High, "8.1.4.1.a"), Verdict: baseline.Fail, Evidence: []baseline.Evidence{wrong, {Subject: "=cmd", Actual: "x", OK: true}, {Subject: "b", Actual: "y", OK: true}}},
			{Rule: rule("b.passes", baseline.Critical, "8.1.4.1.a"), Verdict: baseline.Pass},
			{Rule: rule("c.open", baseline.Medium, "8.1.4.10.a"), Verdict: baseline.Failure, Reason: "no right to read"},
			{Rule: judged, Verdict: baseline.Manual, Reason: "Look at it."},
			{Rule: rule("e.waived", baseline.Low, "8.1.4.3.a"), Verdict: baseline.Waived, Waiver: waiver, Evidence: []baseline.Evidence{wrong, hostile}, Omitted: 2},
			{Rule: rule("f.else", baseline.Low, "8.1.4.4.a"), Verdict: baseline.NotApplicable, Reason: "not here"},
			{Rule: rule("g.own", baseline.Medium, ""), Verdict: baseline.Pass},
		},
	}
	return NewReport(scan, "", Host{Name: "web1", System: "debian 12"})
}

func written(t *testing.T, format, language string) []byte {
	var out bytes.Buffer
	require.NoError(t, sample().Write(&out, format, View{Language: language, All: true, Evidence: 1, Version: "1.2.3"}))
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

// TestNothingCommandsATerminal writes what a host says in every format, and looks for control characters.
func TestNothingCommandsATerminal(t *testing.T) {
	for _, format := range Formats() {
		for _, r := range string(written(t, format, "zh")) {
			harmless := !unicode.In(r, unicode.Cc, unicode.Cf) || r == '\n' || r == '\r' && format == "csv" || r == '\ufeff' && format == "csv"
			// JSON has bytes as they are, but for what it escapes.
			if format != "json" && format != "ocsf" {
				assert.True(t, harmless, "%s: %U", format, r)
			}
			assert.NotEqual(t, '\x1b', r, format)
		}
	}
}

func TestMoreIsWhatIsWrong(t *testing.T) {
	text := string(written(t, "text", "en"))
	assert.Contains(t, text, "… and 3 more\n", "one that is not shown, and two that the scan left out")
	assert.Equal(t, 1, strings.Count(text, " more\n"), "what is right is not more of what is wrong")
}

func TestColumnsStandBelowEachOther(t *testing.T) {
	assert.Equal(t, "符合  |", padded("符合", 6)+"|")
	assert.Equal(t, "不符合|", padded("不符合", 6)+"|")
	assert.Equal(t, "FAIL  |", padded("FAIL", 6)+"|")
	assert.Equal(t, "longer than that|", padded("longer than that", 6)+"|")
}

func TestCSVKeepsToTheStandard(t *testing.T) {
	text := written(t, "csv", "zh")
	assert.True(t, bytes.HasPrefix(text, []byte("\ufeffrule,")), "spreadsheets know by it that this is UTF-8")
	assert.Equal(t, bytes.Count(text, []byte("\n")), bytes.Count(text, []byte("\r\n")), "lines end as in RFC 4180")
	assert.True(t, bytes.HasPrefix(written(t, "csv", "en"), []byte("rule,")))
}

func TestCSVHasNoFormulas(t *testing.T) {
	lines, err := csv.NewReader(bytes.NewReader(written(t, "csv", "en"))).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 8)
	assert.Equal(t, []string{"gbt28448", "mlps-l3"}, lines[0][11:])
	assert.Equal(t, "'=1+1", harmless("=1+1"))
	assert.Equal(t, "'＝1", harmless("＝1"), "of full width too")
	assert.Equal(t, "'-1", harmless("-1"))
	assert.Equal(t, `\t=1`, harmless("\t=1"))
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
	profiled := sample()
	profiled.Profile = "level1-server"
	for _, r := range []*Report{sample(), profiled} {
		var text bytes.Buffer
		require.NoError(t, r.Write(&text, "xccdf", View{Language: "en", Version: "1.2.3"}))
		file := filepath.Join(t.TempDir(), "report.xml")
		require.NoError(t, os.WriteFile(file, text.Bytes(), 0o600))
		out, err := exec.Command("xmllint", "--noout", "--nonet", "--schema", xccdfSchema, file).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	}
}

func TestXCCDFScoresAsItsFlatModel(t *testing.T) {
	assert.Equal(t, xccdfScore{"urn:xccdf:scoring:flat", "16", "10"}, flatScore(sample()), "8 and 2 of what passed; 4 that failed and 2 that nobody knows")
}

// visited is what a browser makes of a page when a script is done with it at its end.
func visited(t *testing.T, page []byte, script string) string {
	browser, err := exec.LookPath("chromium-headless-shell")
	if err != nil {
		ring.Cannot(t, "chromium-headless-shell is not installed")
	}
	page = bytes.Replace(page, []byte("</body>"), []byte("<script>"+script+"</script></body>"), 1)
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, page, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, "--no-sandbox", "--disable-gpu", "--window-size=390,844", "--virtual-time-budget=2000", "--dump-dom", "file://"+file).Output()
	require.NoError(t, err)
	return string(out)
}

func TestHTMLWorksInABrowser(t *testing.T) {
	shown := visited(t, written(t, "html", "en"), `
document.getElementById("language").click();
var filter = document.getElementById("filter"); filter.value = "fail"; filter.onchange();
var shown = Array.from(document.querySelectorAll("details")).filter(function (d) { return d.offsetParent !== null; });
var visible = document.querySelector("h1").innerText;
document.body.innerHTML = "<pre>" + shown.length + " " + shown[0].dataset.verdict + " " + filter.selectedOptions[0].innerText + " " + visible + "</pre>";`)
	assert.Contains(t, shown, "<pre>1 fail 不符合 安全基线核查报告: 等保三级</pre>")
}

// TestHTMLIsWholeOnAPhoneAndOnPaper measures the page in a narrow window, and what is open when it is printed.
func TestHTMLIsWholeOnAPhoneAndOnPaper(t *testing.T) {
	shown := visited(t, written(t, "html", "zh"), `
var wide = document.documentElement.scrollWidth - innerWidth;
var manual = document.getElementById("r-d.judge"), before = manual.open;
dispatchEvent(new Event("beforeprint"));
var all = document.querySelectorAll("details:not([open])").length;
var text = manual.innerText;
dispatchEvent(new Event("afterprint"));
document.body.innerHTML = "<pre>wide " + Math.max(0, wide) + " closed " + all + " " + before + manual.open + " " + text.includes("请查看。") + text.includes("Look at it.") + "</pre>";`)
	assert.Contains(t, shown, "<pre>wide 0 closed 0 falsefalse truefalse</pre>")
}

func TestHTMLRunsNothingOfTheHost(t *testing.T) {
	page := written(t, "html", "en")
	assert.NotContains(t, visited(t, page, ""), "<title>run</title>")
	assert.Contains(t, string(page), "&lt;script&gt;document.title")
	assert.NotRegexp(t, `(?i)https?://|src=|@import|url\(`, string(page), "it needs nothing else")
}
