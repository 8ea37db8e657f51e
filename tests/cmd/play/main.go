// Command play is the other side of a conversation, for tests: a program that does what a script says, on every system.
//
// A test links or copies it to the name that it needs (ninjaone-auth, a browser, dbus-launch) and writes the script, a step
// a line, to NAME.script beside it (without the .exe of Windows). Before the first step the program notes its process id, its
// arguments (a line each) and its environment in NAME.pid, NAME.arguments and NAME.environment.
//
//	read FILE         writes the next line of stdin to FILE
//	drain             reads stdin to its end
//	print TEXT        prints TEXT and a line feed
//	bytes "\xff\n"    prints bytes, quoted as in Go
//	cat FILE          prints a file
//	error TEXT        prints TEXT and a line feed on stderr
//	flood N TEXT      prints TEXT N times on stderr, a line each
//	every 100ms TEXT  prints TEXT again and again, for ever
//	pause 300ms       waits
//	await FILE        waits until a file is there; ends if the folder goes, as it does with a test
//	write FILE TEXT   makes a file that holds TEXT, complete at once; $1 in TEXT is the first argument
//	visit             opens its first argument as a browser does, through the environment's proxy, and reads the page
//	close             closes stdout and stderr
//	leave             ends, while a process that it leaves behind goes on with the script
//	exit N            ends with this exit status; the end of the script is exit 0
//
// A file's name is taken relative to the program's folder, and reaches to the first blank.
//
// Without a script it is a launcher: play COMMAND [ARGUMENT …] becomes that command, with the default action for every
// signal that its parent has it ignore, as nohup does. A shell can't undo that. And play -interrupt PID does to a process
// what Ctrl+C does, where there are signals.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	own, err := os.Executable()
	if err != nil {
		fail(err)
	}
	p := &player{name: strings.TrimSuffix(own, ".exe"), stdin: bufio.NewReader(os.Stdin)}
	script, err := os.ReadFile(p.name + ".script")
	if err != nil && len(os.Args) == 3 && os.Args[1] == "-interrupt" {
		if err := interrupt(os.Args[2]); err != nil {
			fail(err)
		}
		return
	}
	if err != nil {
		fail(launch(os.Args[1:]))
	}
	from := 0
	if text, left := os.LookupEnv(leftAt); left {
		from, _ = strconv.Atoi(text)
	} else {
		p.note("pid", fmt.Sprint(os.Getpid()))
		p.note("arguments", strings.Join(os.Args[1:], "\n")+"\n")
		p.note("environment", strings.Join(os.Environ(), "\n")+"\n")
	}
	for i, step := range strings.Split(string(script), "\n") {
		if verb, rest, _ := strings.Cut(strings.TrimSpace(step), " "); verb != "" && i >= from {
			if err := p.play(i, verb, rest); err != nil {
				fail(fmt.Errorf("%s: %w", verb, err))
			}
		}
	}
}

func interrupt(id string) error {
	pid, err := strconv.Atoi(id)
	if err != nil {
		return err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Signal(os.Interrupt)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "play:", err)
	os.Exit(125)
}

// leftAt is the environment variable with the step that the process which was left behind goes on with.
const leftAt = "PLAY_LEFT_AT"

type player struct {
	name  string
	stdin *bufio.Reader
}

// note makes a file that is complete as soon as it is there.
func (p *player) note(suffix, text string) { p.write(p.name+"."+suffix, text) }

// write may be at work in several processes of one name at once.
func (p *player) write(path, text string) {
	part := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
		fail(err)
	}
	if err := os.Rename(part, path); err != nil {
		fail(err)
	}
}

func (p *player) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(p.name), name)
}

func (p *player) play(step int, verb, rest string) (err error) {
	first, more, _ := strings.Cut(rest, " ")
	switch verb {
	case "read":
		var line string
		if line, err = p.stdin.ReadString('\n'); err == nil {
			p.write(p.path(first), line)
		}
	case "drain":
		_, err = io.Copy(io.Discard, p.stdin)
	case "print":
		fmt.Println(rest)
	case "bytes":
		fmt.Print(plain(rest))
	case "cat":
		var text []byte
		text, err = os.ReadFile(p.path(first))
		os.Stdout.Write(text)
	case "error":
		fmt.Fprintln(os.Stderr, rest)
	case "flood":
		times, _ := strconv.Atoi(first)
		_, err = os.Stderr.WriteString(strings.Repeat(more+"\n", times))
	case "every":
		for pause(first) == nil {
			fmt.Println(more)
		}
	case "pause":
		err = pause(first)
	case "await":
		for _, missing := os.Stat(p.path(first)); missing != nil; _, missing = os.Stat(p.path(first)) {
			if _, err := os.Stat(filepath.Dir(p.path(first))); err != nil {
				os.Exit(1)
			}
			time.Sleep(10 * time.Millisecond)
		}
	case "write":
		p.write(p.path(first), strings.ReplaceAll(more, "$1", argument()))
	case "visit":
		err = visit(argument())
	case "close":
		os.Stdout.Close()
		os.Stderr.Close()
	case "leave":
		err = leave(step + 1)
	case "exit":
		status, _ := strconv.Atoi(first)
		os.Exit(status)
	default:
		err = fmt.Errorf("there is no such step")
	}
	return err
}

func argument() string {
	if len(os.Args) < 2 {
		return ""
	}
	return os.Args[1]
}

func plain(quoted string) string {
	text, err := strconv.Unquote(quoted)
	if err != nil {
		fail(err)
	}
	return text
}

func pause(text string) error {
	duration, err := time.ParseDuration(text)
	time.Sleep(duration)
	return err
}

func visit(address string) error {
	client := &http.Client{Timeout: 20 * time.Second}
	answer, err := client.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func leave(step int) error {
	behind := exec.Command(os.Args[0], os.Args[1:]...)
	behind.Env = append(os.Environ(), leftAt+"="+strconv.Itoa(step))
	behind.Stdin, behind.Stdout, behind.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := behind.Start(); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}
