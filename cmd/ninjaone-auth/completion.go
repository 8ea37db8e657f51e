package main

import (
	"fmt"

	"github.com/alecthomas/kong"
	"github.com/posener/complete"
	"github.com/willabides/kongplete"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish,powershell" help:"bash, zsh, fish or powershell."`
}

// Examples are for the help.
func (completionCommand) Examples() string {
	return `# bash, in ~/.bashrc
source <(ninjaone-auth completion bash)
# zsh, in ~/.zshrc after compinit
source <(ninjaone-auth completion zsh)
# fish
ninjaone-auth completion fish > ~/.config/fish/completions/ninjaone-auth.fish
# PowerShell, in $PROFILE
ninjaone-auth completion powershell | Out-String | Invoke-Expression`
}

// Run prints the script that has a shell ask completeCommand.
func (c completionCommand) Run(std standard) error {
	_, err := fmt.Fprint(std.out, completionScripts[c.Shell])
	return err
}

var completionScripts = map[string]string{
	"bash": "complete -o filenames -C 'ninjaone-auth complete' ninjaone-auth\n",
	"zsh": `#compdef ninjaone-auth
_ninjaone-auth() {
    local -a found
    found=(${(f)"$(COMP_LINE="${(j: :)words[1,CURRENT]}" ninjaone-auth complete)"})
    compadd -f -- $found
}
if [ "$funcstack[1]" = _ninjaone-auth ]; then _ninjaone-auth; else compdef _ninjaone-auth ninjaone-auth; fi
`,
	"fish": "complete -c ninjaone-auth -f -a '(COMP_LINE=(commandline -cp) ninjaone-auth complete)'\n",
	"powershell": `Register-ArgumentCompleter -Native -CommandName ninjaone-auth, ninjaone-auth.exe -ScriptBlock {
    param($Word, $Line, $Position)
    $length = $Position - $Line.Extent.StartOffset
    $env:COMP_LINE = "$Line".PadRight($length).Substring(0, $length)
    try {
        ninjaone-auth complete | ForEach-Object {
            [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
        }
    } finally {
        $env:COMP_LINE = $null
    }
}
`,
}

// completeCommand answers the shells. It is a command of its own so that no other does anything else for a variable in the
// environment.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run prints what can stand at the end of $COMP_LINE.
func (completeCommand) Run(command *kong.Context) error {
	kongplete.Complete(command.Kong, kongplete.WithPredictor("path", complete.PredictFiles("*")), kongplete.WithExitFunc(func(int) {}))
	return nil
}
