# Writes docs/Connect-NinjaOne.md, the help page in PlatyPS's format (schema 2.0.0), from the wrapper's help and metadata.
param ([string] $Path = (Join-Path $PSScriptRoot '..' 'docs' 'Connect-NinjaOne.md'))
$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot '..' 'powershell' 'Connect-NinjaOne.ps1')

$command, $help = (Get-Command Connect-NinjaOne), (Get-Help Connect-NinjaOne -Full)
$link = $help.relatedLinks.navigationLink.uri
$common = [System.Management.Automation.Cmdlet]::CommonParameters | Where-Object { $_ -ne 'ProgressAction' }
$names = @($command.Parameters.Keys | Where-Object { $_ -notin $common })

function Get-Text ($Paragraph) { ($Paragraph.Text -join ' ' -replace '\s+', ' ').Trim() }
# A sentence a line, as PlatyPS has it.
function Format-Sentence ($Text) { $Text -replace '(?<=[a-z)''"]\.|e\.g\.) (?=\S)', "`n" }

# Switches stand in brackets even where they are mandatory: whoever leaves them out gets another set.
function Get-Syntax ($Set) {
    $words = foreach ($parameter in $Set.Parameters | Where-Object { $_.Name -in $names -and $_.Name -ne 'ProgressAction' }) {
        $type = $parameter.ParameterType
        $word = if ($type -eq [switch]) { "[-$($parameter.Name)]" } else { "-$($parameter.Name) <$($type.Name)>" }
        if ($parameter.IsMandatory -or $word.StartsWith('[')) { $word } else { "[$word]" }
    }
    $lines = @('Connect-NinjaOne')
    foreach ($word in @($words) + '[-ProgressAction <ActionPreference>]', '[<CommonParameters>]') {
        if ("$($lines[-1]) $word".Length -gt 110) { $lines += " $word" } else { $lines[-1] += " $word" }
    }
    "### $($Set.Name)$(if ($Set.IsDefault) { ' (Default)' })", '```', ($lines -join "`n"), '```', ''
}

# One block for the sets in which the parameter is mandatory, and one for the others, in the order of the sets.
function Get-Parameter ($Name) {
    $parameter, $described = $command.Parameters[$Name], ($help.parameters.parameter | Where-Object name -eq $Name)
    $text = if ($described) { Get-Text $described.description } else { 'How this command responds to progress updates.' }
    "### -$Name", (Format-Sentence $text), ''
    $default = if ("$($described.defaultValue)") { $described.defaultValue } else { 'None' }
    $sets = $command.ParameterSets | Where-Object { $_.Parameters.Name -contains $Name }
    $groups = $sets | Group-Object { ($_.Parameters | Where-Object Name -eq $Name).IsMandatory }
    foreach ($group in $groups | Sort-Object { $command.ParameterSets.IndexOf($_.Group[0]) }) {
        $in = if ($parameter.ParameterSets.ContainsKey('__AllParameterSets')) { '(All)' } else { $group.Group.Name -join ', ' }
        '```yaml', "Type: $($parameter.ParameterType.Name)", "Parameter Sets: $in", "Aliases: $($parameter.Aliases)".TrimEnd(), '',
        "Required: $($group.Name)", 'Position: Named', "Default value: $default", 'Accept pipeline input: False',
        'Accept wildcard characters: False', '```', ''
    }
}

$page = @(
    '---', 'external help file: NinjaOne-help.xml', 'Module Name: NinjaOne', "online version: $link", 'schema: 2.0.0', '---', ''
    '# Connect-NinjaOne', ''
    '## SYNOPSIS', $help.Synopsis, ''
    '## SYNTAX', ''
    $command.ParameterSets | ForEach-Object { Get-Syntax $_ }
    '## DESCRIPTION', (Get-Text $help.description), ''
    '## EXAMPLES', ''
    $number = 0
    foreach ($example in $help.examples.example) { $number++; "### EXAMPLE $number", '```', $example.code, '```', '', (Get-Text $example.remarks), '' }
    '## PARAMETERS', ''
    $names | Where-Object { $_ -ne 'ProgressAction' } | ForEach-Object { Get-Parameter $_ }
    Get-Parameter ProgressAction
    '### CommonParameters'
    ('This cmdlet supports the common parameters: -Debug, -ErrorAction, -ErrorVariable, -InformationAction, -InformationVariable, ' +
    '-OutVariable, -OutBuffer, -PipelineVariable, -Verbose, -WarningAction, and -WarningVariable. For more information, see ' +
    '[about_CommonParameters](http://go.microsoft.com/fwlink/?LinkID=113216).'), ''
    '## INPUTS', '', '## OUTPUTS', '', "### $($help.returnValues.returnValue.type.name.Trim())", '## NOTES', '', '## RELATED LINKS', ''
    "[$link]($link)", ''
)
[System.IO.File]::WriteAllText($Path, ($page -join "`n") + "`n")
