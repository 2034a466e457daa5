/**
 * What stands behind the local load balancer, and how its requests fared: `GET /local/services`.
 *
 * Whoever tries a roll-out under traffic by hand finds the address here, and afterwards whether any
 * request was lost.
 */
import type { Hono } from 'hono'
import { route } from '#shared/controllers/admin-api/routing.ts'
import type { LocalBalancer } from './balancer/local-balancer.ts'

export function addServiceRoutes(app: Hono, balancer: Pick<LocalBalancer, 'services'>): void {
  route(app, '/local/services', {
    GET: () => Response.json({ items: balancer.services() }),
  })
}
