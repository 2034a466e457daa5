/**
 * One path, the methods it knows, and a true answer to every other method.
 */
import type { Context, Hono } from 'hono'
import { problem } from './problem.ts'

export type Handler = (context: Context) => Response | Promise<Response>
export type Methods = Partial<Record<'GET' | 'PUT' | 'POST' | 'DELETE', Handler>>

/** Serves `path`; HEAD is a GET without its body, OPTIONS tells the methods, all else is a 405. */
export function route(app: Hono, path: string, methods: Methods): void {
  for (const [method, handler] of Object.entries(methods)) app.on(method, path, handler)
  const known = Object.keys(methods).flatMap((own) => (own === 'GET' ? [own, 'HEAD'] : [own]))
  const allow = [...known, 'OPTIONS'].join(', ')
  app.all(path, (context) => {
    const { method } = context.req
    if (method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } })
    return problem({
      status: 405,
      code: 'MethodNotAllowed',
      detail: `${context.req.path} knows ${allow}`,
      headers: { allow },
    })
  })
}

/** A part of the path; the route names it, so it is there. */
export function part(context: Context, name: string): string {
  return context.req.param(name) ?? ''
}
