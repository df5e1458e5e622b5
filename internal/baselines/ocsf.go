// SPDX-License-Identifier: Apache-2.0

package baselines

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/vedette-sec/vedette/internal/ocsf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// Numbers of the Open Cybersecurity Schema Framework.
const (
	ocsfFindings   = 2    // category
	ocsfCompliance = 2003 // class Compliance Finding
	ocsfCreate     = 1    // activity
	ocsfNew        = 1    // status of the finding
	ocsfServer     = 1    // type of device
	ocsfLinux      = 200  // type of operating system
)

// The parts of a Compliance Finding that a report has something for.
type (
	ocsfFinding struct {
		Activity    int          `json:"activity_id"`
		Category    int          `json:"category_uid"`
		Class       int          `json:"class_uid"`
		ClassName   string       `json:"class_name"`
		Type        int          `json:"type_uid"`
		Time        int64        `json:"time"`
		SeverityID  int          `json:"severity_id"`
		Severity    string       `json:"severity"`
		StatusID    int          `json:"status_id"`
		Message     string       `json:"message"`
		Metadata    ocsfMetadata `json:"metadata"`
		FindingInfo ocsfInfo     `json:"finding_info"`
		Compliance  ocsfResult   `json:"compliance"`
		Device      ocsfDevice   `json:"device"`
		Unmapped    ocsfUnmapped `json:"unmapped"`
	}
	ocsfMetadata struct {
		Version string      `json:"version"`
		Product ocsfProduct `json:"product"`
	}
	ocsfProduct struct {
		Name    string `json:"name"`
		Vendor  string `json:"vendor_name"`
		Version string `json:"version,omitempty"`
	}
	ocsfInfo struct {
		UID     string `json:"uid"`
		Title   string `json:"title"`
		Desc    string `json:"desc,omitempty"`
		Created int64  `json:"created_time"`
	}
	ocsfResult struct {
		Control      string   `json:"control"`
		Requirements []string `json:"requirements,omitempty"`
		Standards    []string `json:"standards"`
		StatusID     int      `json:"status_id"`
		Status       string   `json:"status"`
		StatusDetail string   `json:"status_detail,omitempty"`
	}
	ocsfDevice struct {
		Hostname string  `json:"hostname"`
		Type     int     `json:"type_id"`
		OS       *ocsfOS `json:"os,omitempty"`
	}
	ocsfOS struct {
		Name string `json:"name"`
		Type int    `json:"type_id"`
	}
	ocsfUnmapped struct {
		Verdict  baseline.Verdict    `json:"verdict"`
		Evidence []baseline.Evidence `json:"evidence,omitempty"`
		Waiver   *baseline.Waiver    `json:"waiver,omitempty"`
	}
)

// ocsfStatus is what a verdict comes to: Pass, Warning where a person has to look, Fail, or Unknown.
func ocsfStatus(v baseline.Verdict) (int, string) {
	switch v {
	case baseline.Pass:
		return 1, "Pass"
	case baseline.Waived, baseline.Manual:
		return 2, "Warning"
	case baseline.Fail:
		return 3, "Fail"
	}
	return 0, "Unknown"
}

// ocsfSeverity is that of what is wrong; nothing else is severe.
func ocsfSeverity(r Result) (int, string) {
	if r.Verdict != baseline.Fail {
		return 1, "Informational"
	}
	id := 2 + rank(r.Severity)
	return id, []string{"Low", "Medium", "High", "Critical"}[id-2]
}

// writeOCSF writes a Compliance Finding for each rule that is about something on this host, one a line.
func writeOCSF(w io.Writer, r *Report, v View) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, result := range r.Results {
		if result.Verdict == baseline.NotApplicable {
			continue
		}
		if err := encoder.Encode(ocsfOf(r, result, v)); err != nil {
			return err
		}
	}
	return nil
}

func ocsfOf(r *Report, result Result, v View) ocsfFinding {
	at := r.Started.UnixMilli()
	f := ocsfFinding{
		Activity: ocsfCreate, Category: ocsfFindings, Class: ocsfCompliance, ClassName: "Compliance Finding", Type: ocsfCompliance*100 + ocsfCreate,
		Time: at, StatusID: ocsfNew, Message: result.Title.In(v.Language),
		Metadata:    ocsfMetadata{ocsf.Version, ocsfProduct{"Vedette", "Vedette", v.Version}},
		FindingInfo: ocsfInfo{strings.Join([]string{r.Host.Name, r.Template, result.Rule}, "/"), result.Title.In(v.Language), result.About.In(v.Language), at},
		Compliance:  ocsfResult{Control: result.Rule, Requirements: clauseList(result.Maps), Standards: []string{r.Title.In(v.Language)}},
		Device:      ocsfDevice{Hostname: r.Host.Name, Type: ocsfServer},
		Unmapped:    ocsfUnmapped{result.Verdict, result.Evidence, result.Waiver},
	}
	f.SeverityID, f.Severity = ocsfSeverity(result)
	f.Compliance.StatusID, f.Compliance.Status = ocsfStatus(result.Verdict)
	f.Compliance.StatusDetail = result.detail(v.Language)
	if r.Host.System != "" {
		f.Device.OS = &ocsfOS{r.Host.System, ocsfLinux}
	}
	return f
}

// detail is why a verdict is what it is, in a line.
func (r Result) detail(language string) string {
	if wrong, ok := r.first(); ok {
		return Describe(wrong, language)
	}
	return r.reason().In(language)
}
