# The rules that find mistakes; those of taste are left to the reviewer.
@{
    IncludeRules = @(
        'PSAvoidAssignmentToAutomaticVariable'
        'PSAvoidUsingCmdletAliases'
        'PSAvoidUsingConvertToSecureStringWithPlainText'
        'PSAvoidUsingInvokeExpression'
        'PSMissingModuleManifestField'
        'PSMisleadingBacktick'
        'PSPossibleIncorrect*'
        'PSUseCompatibleSyntax'
        'PSUseToExportFieldsInManifest'
    )
    Rules = @{ PSUseCompatibleSyntax = @{ Enable = $true; TargetVersions = '5.1', '7.4' } }
}
