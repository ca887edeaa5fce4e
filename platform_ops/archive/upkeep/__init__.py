"""What keeps an archive: checks, holds, expiry, erasure, sweeping, bags, witnesses and evidence."""
