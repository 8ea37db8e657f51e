package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
)

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// width is a terminal's in columns.
func width(terminal *os.File) int {
	if columns, _, err := term.GetSize(int(terminal.Fd())); err == nil && columns > 0 {
		return columns
	}
	return 80
}

// stderr shows warnings and what has to be read, with --verbose what is done, and in a terminal the progress.
type stderr struct {
	out     *os.File
	verbose bool
	// shown is the progress that the terminal shows, and turn counts its changes.
	shown *string
	turn  *int
}

func newStderr(std standard, verbose bool) stderr {
	return stderr{std.err, verbose, new(string), new(int)}
}

// Write shows a message, above the progress.
func (s stderr) Write(stream report.Stream, message string) {
	message = asFlags(message)
	switch {
	case stream == report.InformationStream:
	case stream == report.WarningStream, stream == report.VerboseStream && s.verbose:
		message = fmt.Sprintf("%s: %s", stream, message)
	default:
		return
	}
	progress := *s.shown
	s.show("")
	fmt.Fprintln(s.out, message)
	s.show(progress)
}

// Progress shows a turning line.
func (s stderr) Progress(p report.Progress) {
	if !isTerminal(s.out) {
		return
	}
	line := fmt.Sprintf("%c %s (Ctrl+C ends it)", `|/-\`[*s.turn%4], p.Status)
	if *s.turn++; p.Completed {
		line = ""
	}
	s.show(line)
}

// show puts a line in place of the one that is shown, without control sequences, which not every console knows.
func (s stderr) show(line string) {
	if *s.shown == line {
		return
	}
	if most := width(s.out) - 1; len(line) > most {
		line = line[:most]
	}
	fmt.Fprintf(s.out, "\r%s\r%s", strings.Repeat(" ", len(*s.shown)), line)
	*s.shown = line
}

// Pending has nobody to tell.
func (stderr) Pending(time.Duration) {}

// printTable prints rows in columns if they fit into the terminal, else field by field, and with tabs if stdout is no terminal.
// Nothing is ever cut.
func printTable(std standard, head []string, rows [][]string) error {
	if !isTerminal(std.out) {
		for _, row := range append([][]string{head}, rows...) {
			if _, err := fmt.Fprintln(std.out, strings.Join(row, "\t")); err != nil {
				return err
			}
		}
		return nil
	}
	var aligned strings.Builder
	table := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	table.Flush()
	text := aligned.String()
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(line) > width(std.out) {
			text = records(head, rows)
			break
		}
	}
	_, err := fmt.Fprint(std.out, text)
	return err
}

// records are rows field by field.
func records(head []string, rows [][]string) string {
	var text strings.Builder
	for i, row := range rows {
		if i > 0 {
			text.WriteByte('\n')
		}
		lines := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		for j, field := range row {
			fmt.Fprintf(lines, "%s\t%s\n", head[j], field)
		}
		lines.Flush()
	}
	return text.String()
}

// shown is a text from outside, fit for a terminal.
func shown(text string) string { return failure.Printable(text) }

// ask reads a secret at the terminal, which does not show it. The terminal is raw, so that nothing is shown that is typed before
// the question is there, and Ctrl+C, like Ctrl+D, ends the question.
func ask(ctx context.Context, std standard, what string) (string, error) {
	before, err := term.MakeRaw(int(std.in.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(std.in.Fd()), before)
	type answer struct {
		typed string
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		typed, err := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{std.in, std.err}, "").ReadPassword(what + ": ")
		answered <- answer{typed, err}
	}()
	select {
	case a := <-answered:
		if errors.Is(a.err, io.EOF) {
			fmt.Fprint(std.err, "\r\n")
			return "", failure.Interruption(a.err)
		}
		return a.typed, a.err
	case <-ctx.Done():
		fmt.Fprint(std.err, "\r\n")
		return "", failure.Interruption(ctx.Err())
	}
}
