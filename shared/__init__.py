"""What Tenantry does: domain modules, and below them store/, microsoft/ and sinks/ for how it calls the world."""
