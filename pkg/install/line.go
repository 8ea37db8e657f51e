package install

import (
	"bytes"
	"fmt"
	"regexp"
)

// A line of this form at the end of NinjaOne.psm1 replaces the module's Connect-NinjaOne.
const lineFormat = `. "$PSScriptRoot/` + wrapperName + `" # ninjaone-auth %s, added by 'ninjaone-auth install'`

var (
	line         = regexp.MustCompile(`(?m)^\. "\$PSScriptRoot/` + regexp.QuoteMeta(wrapperName) + `" # ninjaone-auth (\S+),[^\r\n]*`)
	lastLine     = regexp.MustCompile(`\r?\n` + line.String() + `\z`)
	anyLine      = regexp.MustCompile(line.String() + `\r?(?:\n|\z)`)
	signature    = regexp.MustCompile(`(?m)^# SIG # Begin signature block`)
	ownSignature = regexp.MustCompile(`(?s)(` + line.String() + `.*?)\r?\n# SIG # Begin signature block.*\z`)
)

// releaseIn is the release that the line in a module's file names, or empty if the file has no such line.
func releaseIn(text []byte) string {
	if found := line.FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// withLine is a module's file with the line of a release: in the place of another's, or at the end. Whether the last line
// ends with a line feed stays as it was, so that withoutLine can tell.
func withLine(text []byte, release string) []byte {
	added := fmt.Appendf(nil, lineFormat, release)
	if line.Match(text) {
		return line.ReplaceAllLiteral(text, added)
	}
	newline := []byte("\n")
	if bytes.Contains(text, []byte("\r\n")) {
		newline = []byte("\r\n")
	}
	if bytes.HasSuffix(text, []byte("\n")) {
		return bytes.Join([][]byte{text, added, newline}, nil)
	}
	return bytes.Join([][]byte{text, newline, added}, nil)
}

// withoutLine takes the line out, and a signature that somebody put after it.
func withoutLine(text []byte) []byte {
	text = ownSignature.ReplaceAll(text, []byte("$1"))
	return anyLine.ReplaceAll(lastLine.ReplaceAll(text, nil), nil)
}
