import tseslint from 'typescript-eslint'
import globals from 'globals'

const unusedVars = { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }

export default tseslint.config(
  { ignores: ['node_modules/', 'cdk.out/', '.drover/'] },
  ...tseslint.configs.strict,
  {
    languageOptions: { globals: globals.node },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', unusedVars],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 3],
      'no-console': 'error',
      'prefer-const': 'error',
      'no-var': 'error',
      eqeqeq: ['error', 'always'],
    },
  },
  {
    files: ['**/*.test.ts', 'test/**', 'bench/**'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-console': 'off',
    },
  },
  { files: ['cli/**', 'local/**'], rules: { 'no-console': 'off' } },
  {
    files: ['*.config.{js,ts}'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off' },
  },
)
