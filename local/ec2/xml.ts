/**
 * EC2's XML, written: nested elements, lists of `<item>`, and nothing else that its answers need.
 */

/** Undefined members are left out, as EC2 leaves out what it has nothing to say about. */
export type Xml =
  string | number | boolean | undefined | readonly Xml[] | { readonly [name: string]: Xml }

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/'

const PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n'

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (own) => ESCAPES[own] ?? own)
}

function element(name: string, value: Xml): string {
  return value === undefined ? '' : `<${name}>${inner(value)}</${name}>`
}

function inner(value: Xml): string {
  if (Array.isArray(value)) return value.map((own: Xml) => element('item', own)).join('')
  if (typeof value !== 'object') return escaped(String(value))
  return Object.entries(value)
    .map(([name, own]) => element(name, own as Xml))
    .join('')
}

/** The answer to `action`, as EC2 wraps it. */
export function responseXml(action: string, requestId: string, body: Xml): string {
  const members = typeof body === 'object' ? body : {}
  const name = `${action}Response`
  return `${PROLOGUE}<${name} xmlns="${NAMESPACE}">${inner({ requestId, ...members })}</${name}>`
}

export function errorXml(requestId: string, code: string, text: string): string {
  const Errors = { Error: { Code: code, Message: text } }
  return PROLOGUE + element('Response', { Errors, RequestID: requestId })
}
