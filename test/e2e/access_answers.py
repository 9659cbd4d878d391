"""What each method answers to whoever is let in and asks for nothing in particular: gRPC with an empty message, REST with an
empty object and "x" for every name. It is the same in every tenant, so that whoever is let in is seen to get as far as the
method itself."""

# Of gRPC: the others say INVALID_ARGUMENT, as something is missing.
CODES = {
    "OK": """
        CreateJoinToken ExportAuditLog GetAuditCheckpoint GetCaller GetDroneStats GetResultsSummary GetSignInWays
        GetStatus GetStoreStats ListAuditEvents ListBackfills ListBackups ListCaptures ListDeletions ListDeployments
        ListDrones ListEnvironments ListJoinTokens ListKeys ListLegalHolds ListProfiles ListQuarantine ListQuotas ListReports
        ListResults ListRollouts ListRuns PlanProfiles RotateAuditKey SuggestReports ValidateProfile VerifyStore
        """,
    "NOT_FOUND": """
        GetAuditProof RevokeDrone RevokeKey RotateKey
        """,
    "OUT_OF_RANGE": """
        GetAuditConsistency
        """,
    "FAILED_PRECONDITION": """
        CreateBackup GetBackup GetSession SignOut VerifyBackup
        """,
    "DEADLINE_EXCEEDED": """
        WatchEvents WatchProfiles
        """,
}
# Of a drone, to its own methods and to those that are open to everyone.
CODES_TO_DRONES = {
    "OK": "WitnessAuditLog GetCaller GetSignInWays",
    "FAILED_PRECONDITION": "GetSession SignOut",
    "INVALID_ARGUMENT": "RenewDrone Ingest",
    "PERMISSION_DENIED": "RegisterDrone Heartbeat Attend",
}
# Of REST.
STATUSES = {
    (200, ""): """
        GET /api/audit/events
        GET /api/audit/v0/events
        GET /api/audit/checkpoint
        GET /api/audit:export
        POST /api/audit:rotateKey
        GET /api/auth/caller
        GET /api/session/ways
        GET /api/keys
        POST /api/joinTokens
        GET /api/joinTokens
        GET /api/backups
        GET /api/drones
        GET /api/drones/stats
        GET /api/runs
        GET /api/rollouts
        GET /api/backfills
        GET /api/captures
        GET /api/quotas
        GET /api/events
        GET /api/status
        GET /api/results
        GET /api/results/summary
        GET /api/quarantine
        GET /api/deletions
        GET /api/legalHolds
        GET /api/store/stats
        POST /api/store:verify
        GET /api/profiles
        POST /api/profiles:validate
        GET /api/profiles/{profile}/moves
        POST /api/profiles:plan
        GET /api/profiles:watch
        GET /api/deployments
        GET /api/environments
        GET /api/reports:suggest
        GET /api/reports
        """,
    (404, "AUDIT_EVENT_NOT_FOUND"): """
        GET /api/audit/proof
        """,
    (400, "PROOF_OUT_OF_RANGE"): """
        GET /api/audit/consistency
        """,
    (400, "AUDIT_PERSON_MISSING"): """
        POST /api/audit:erase
        """,
    (400, "NOT_SIGNED_IN"): """
        GET /api/session
        DELETE /api/session
        """,
    (400, "FIELD_INVALID"): """
        POST /api/keys
        POST /api/legalHolds/{legalHold}:set
        """,
    (404, "KEY_NOT_FOUND"): """
        POST /api/keys/{key}:rotate
        POST /api/keys/{key}:revoke
        """,
    (404, "DRONE_NOT_ENROLLED"): """
        POST /api/drones/{drone}:revoke
        """,
    (400, "BACKUP_DIR_NOT_SET"): """
        POST /api/backups
        GET /api/backups/{backup}
        POST /api/backups/{backup}:verify
        """,
    (404, "DRONE_UNKNOWN"): """
        GET /api/drones/{drone}
        GET /api/drones/{drone}/work
        POST /api/drones/{drone}:drain
        """,
    (400, "NAME_INVALID"): """
        POST /api/runs
        POST /api/backfills
        POST /api/results
        GET /api/plans/{plan}
        POST /api/plans/{plan}:apply
        GET /api/deployments/{deployment}
        POST /api/deployments/{deployment}:resume
        POST /api/deployments/{deployment}:approve
        GET /api/reports/{report}/runs/{run}
        """,
    (404, "PROFILE_NOT_FOUND"): """
        POST /api/profiles/{profile}:runNow
        POST /api/profiles/{profile}:replay
        GET /api/profiles/{profile}/status
        POST /api/profiles/{profile}:shadow
        GET /api/profiles/{profile}
        DELETE /api/profiles/{profile}
        GET /api/profiles/{profile}/revisions
        GET /api/profiles/{profile}:diff
        GET /api/profiles/{profile}/fields
        POST /api/profiles/{profile}:pause
        POST /api/profiles/{profile}:resume
        POST /api/profiles/{profile}:setSchedule
        POST /api/profiles/{profile}:promote
        GET /api/profiles/{profile}/channels
        """,
    (404, "RUN_NOT_FOUND"): """
        GET /api/runs/{run}
        POST /api/runs/{run}:cancel
        GET /api/runs/{run}/ledger
        """,
    (404, "ROLLOUT_NOT_FOUND"): """
        GET /api/rollouts/{rollout}
        POST /api/rollouts/{rollout}:abort
        POST /api/rollouts/{rollout}:accept
        """,
    (404, "BACKFILL_NOT_FOUND"): """
        GET /api/backfills/{backfill}
        GET /api/backfills/{backfill}/partitions
        POST /api/backfills/{backfill}:pause
        POST /api/backfills/{backfill}:resume
        POST /api/backfills/{backfill}:cancel
        POST /api/backfills/{backfill}:retry
        """,
    (404, "SHADOW_NOT_FOUND"): """
        GET /api/shadows/{shadow}
        """,
    (400, "PROFILE_OR_RUN_REQUIRED"): """
        GET /api/records
        GET /api/records:export
        """,
    (400, "PROFILE_REQUIRED"): """
        GET /api/records:why
        POST /api/quarantine:redrive
        POST /api/records:delete
        """,
    (404, "LEGAL_HOLD_NOT_FOUND"): """
        POST /api/legalHolds/{legalHold}:clear
        """,
    (400, "PROFILE_INVALID"): """
        POST /api/profiles
        PUT /api/profiles/{profile}
        """,
    (400, "REASON_INVALID"): """
        POST /api/profiles/{profile}:rollBack
        """,
    (400, "REVISION_MISSING"): """
        POST /api/profiles/{profile}:sign
        """,
    (400, "RELEASE_VERSION_INVALID"): """
        POST /api/deployments
        """,
    (400, "SHELVE_REASON_REQUIRED"): """
        POST /api/deployments/{deployment}:shelve
        """,
    (400, "SMOKE_EVIDENCE_REQUIRED"): """
        POST /api/deployments/{deployment}:conclude
        """,
    (400, "ENVIRONMENT_UNKNOWN"): """
        POST /api/environments/{environment}:reportDrift
        """,
    (400, "REPORT_INPUT_MISSING"): """
        POST /api/reports
        POST /api/reports:export
        PUT /api/reports/{report}
        """,
    (404, "REPORT_NOT_FOUND"): """
        GET /api/reports/{report}
        DELETE /api/reports/{report}
        POST /api/reports/{report}:run
        GET /api/reports/{report}/runs
        """,
}


def _by_name(answers, split=str.split):
    return {name.strip(): answer for answer, names in answers.items() for name in split(names) if name.strip()}


_CODES, _CODES_TO_DRONES = _by_name(CODES), _by_name(CODES_TO_DRONES)
_STATUSES = _by_name(STATUSES, str.splitlines)


def answer_of(method):
    """The code of gRPC."""
    return _CODES.get(method, "INVALID_ARGUMENT")


def answer_to_drone(method):
    return _CODES_TO_DRONES[method]


def answer_at(verb, path):
    """Status and reason of REST; none where nobody is let in."""
    return _STATUSES.get(f"{verb} {path}")
