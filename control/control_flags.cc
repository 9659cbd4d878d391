#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/config/address.h"
#include "common/config/signals.h"
#include "common/net/http_client.h"
#include "common/rpc/connect_polling.h"
#include "common/rpc/refusal_ledger.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "control/control.h"

namespace chartly::control {
namespace {

struct Flags {
  std::string services = "all";
  std::vector<std::string> rpc_listen;
  std::vector<std::string> peers;
  std::string log_level = "info";
  int heartbeat_ms = 1000;
  int certificate_seconds = 86400;
  int session_idle_seconds = 3600;
  int session_seconds = 43200;
  int retention_seconds = 3600;
  size_t audit_refusals = rpc::RefusalLedger::kMaxKinds;
  int backup_log_seconds = 5;
  std::string restore;
  std::string restore_to;
  ControlConfig config;
};

void DeclareSignIn(CLI::App& app, Flags& flags) {
  app.add_option("--session-idle-seconds", flags.session_idle_seconds,
                 "After how long without a call the session of a browser ends")
      ->check(CLI::Range(1, 30 * 86400))
      ->capture_default_str();
  app.add_option("--session-seconds", flags.session_seconds,
                 "How long the session of a browser lasts, whatever is done with it")
      ->check(CLI::Range(1, 30 * 86400))
      ->capture_default_str();
  CLI::Option* issuer = app.add_option("--oidc-issuer", flags.config.oidc_issuer,
                                       "https address of the OpenID Connect issuer whose signed tokens are taken "
                                       "(RS256, ES256); the auth part gets its keys from there")
                            ->envname("CHARTLY_OIDC_ISSUER");
  app.add_option("--oidc-audience", flags.config.oidc_audience, "Whom tokens have to be for (aud)")
      ->envname("CHARTLY_OIDC_AUDIENCE");
  app.add_option("--oidc-role-claim", flags.config.oidc_role_claim,
                 "Claim whose text or list gives the role; dots lead into objects")
      ->needs(issuer)
      ->capture_default_str();
  app.add_option(
         "--oidc-tenant-claim", flags.config.oidc_tenant_claim,
         "Claim whose text names the tenant of the token, without which it is refused; left out, all are of the "
         "default tenant")
      ->needs(issuer);
  app.add_option("--oidc-project-claim", flags.config.oidc_project_claim,
                 "Claim whose text or list names the projects that the token is bound to, * for all of them, without "
                 "which it is refused; left out, none is bound")
      ->needs(issuer);
  app.add_option("--oidc-role", flags.config.oidc_roles,
                 "ROLE=VALUE: tokens whose claim holds VALUE have that role; repeatable, the highest counts. Tokens "
                 "without any may do nothing");
  app.add_option("--oidc-ca-file", flags.config.oidc_ca_file,
                 "PEM file of authorities to trust for the issuer, beside those of the machine");
  CLI::Option* client =
      app.add_option("--oidc-client-id", flags.config.oidc_client_id,
                     "Id of this control plane as a client of the issuer: with it people sign in there from the page")
          ->envname("CHARTLY_OIDC_CLIENT_ID")
          ->needs(issuer);
  app.add_option("--oidc-client-secret-file", flags.config.oidc_client_secret_file,
                 "File with the secret of that client, read anew for each sign-in; left out for a public client")
      ->envname("CHARTLY_OIDC_CLIENT_SECRET_FILE")
      ->needs(client);
  app.add_option("--oidc-scope", flags.config.oidc_scopes,
                 "What to ask the issuer for beside openid, such as groups; repeatable")
      ->needs(client);
  app.add_option("--public-url", flags.config.public_url,
                 "https://HOST[:PORT] at which browsers reach the page; the issuer sends them back to "
                 "URL/api/session/oidc:callback")
      ->envname("CHARTLY_PUBLIC_URL");
}

void Declare(CLI::App& app, Flags& flags) {
  app.add_option("--services", flags.services, "Parts to run here: all, or a list such as registry,coordinator")
      ->capture_default_str();
  app.add_option("--data", flags.config.data_dir, "Folder for everything that is kept")
      ->envname("CHARTLY_DATA")
      ->capture_default_str();
  app.add_option("--listen", flags.config.listen,
                 "HOST:PORT of the gateway; gRPC of the parts follows on PORT+1 to PORT+8. Port 0 takes free ones")
      ->envname("CHARTLY_LISTEN")
      ->capture_default_str();
  app.add_option("--rpc-host", flags.config.rpc_host, "Host on which gRPC and the admin port listen")
      ->capture_default_str();
  app.add_option("--rpc", flags.rpc_listen, "PART=HOST:PORT where a part of this process listens instead; repeatable");
  app.add_option("--peer", flags.peers, "PART=HOST:PORT of a part that runs in another process; repeatable");
  app.add_option("--admin", flags.config.admin_listen,
                 "HOST:PORT for /health, /ready and /metrics (default: PORT+100)");
  app.add_option("--key-file", flags.config.key_file, "The admin key; made if absent (default: DATA/admin.key)");
  CLI::Option* certificate =
      app.add_option("--tls-cert", flags.config.tls_certificate,
                     "PEM file with the certificate of the gateway and what lies between it and its authority. The "
                     "gateway then takes TLS only; a renewed file is taken without a restart")
          ->envname("CHARTLY_TLS_CERT");
  CLI::Option* key = app.add_option("--tls-key", flags.config.tls_key, "PEM file with the key of --tls-cert")
                         ->envname("CHARTLY_TLS_KEY");
  certificate->needs(key);
  key->needs(certificate);
  DeclareSignIn(app, flags);
  app.add_flag(
         "--rpc-tls", flags.config.rpc_tls,
         "gRPC takes TLS only, from callers with a certificate: drones that joined, and parts of this control plane")
      ->envname("CHARTLY_RPC_TLS");
  app.add_option("--tls-dir", flags.config.tls_dir,
                 "Folder of the certificate authority, made if absent; parts on several hosts share its content "
                 "(default: DATA/tls)");
  app.add_option("--certificate-seconds", flags.certificate_seconds,
                 "How long the certificates of drones and of this process are good; they are renewed before their end")
      ->check(CLI::Range(20, 7 * 86400))
      ->capture_default_str();
  app.add_option("--trusted-proxies", flags.config.trusted_proxies,
                 "Addresses or CIDRs, with commas, of the proxies in front of the gateway: what they say in "
                 "X-Forwarded-For is the address that is slowed down for wrong keys and senseless requests and "
                 "stands in the audit log")
      ->delimiter(',')
      ->envname("CHARTLY_TRUSTED_PROXIES");
  app.add_option("--anonymous-role", flags.config.anonymous_role,
                 "What callers without a key may do: none, or viewer to let everyone read who reaches the gateway "
                 "(default: viewer if the gateway and gRPC listen on loopback alone, else none)")
      ->envname("CHARTLY_ANONYMOUS_ROLE")
      ->check(CLI::IsMember({"none", "viewer"}));
  app.add_option("--secrets-dir", flags.config.secrets_dir,
                 "Folder with the keys of webhooks: NAME/KEY, as secretRef names them. Without it, or where a file is "
                 "absent, the variable CHARTLY_SECRET_NAME_KEY holds it")
      ->envname("CHARTLY_SECRETS_DIR");
  app.add_option("--audit-origin", flags.config.audit_origin,
                 "Name of the audit log in its checkpoints; a log keeps the name it has (default: made up)");
  app.add_option("--audit-checkpoints", flags.config.audit_checkpoints,
                 "File to which every signed checkpoint of the audit log is appended; best on another machine's disk");
  app.add_option("--audit-webhook", flags.config.audit_webhook,
                 "URL to which every signed checkpoint of the audit log is posted");
  app.add_option("--audit-webhook-key", flags.config.audit_webhook_key,
                 "NAME/KEY of the secret that signs what is posted to --audit-webhook")
      ->needs("--audit-webhook");
  app.add_option("--audit-keep-days", flags.config.audit_keep_days,
                 "Days after which events leave the audit log; their hashes stay. 0 keeps them for good")
      ->check(CLI::Range(0, 36500))
      ->capture_default_str();
  app.add_option("--audit-refusals", flags.audit_refusals,
                 "Refusals of different kinds (address, caller, method, outcome) that each process writes to the audit "
                 "log one by one within a minute; of the others it writes how many there were")
      ->check(CLI::Range(16, 1000000))
      ->capture_default_str();
  app.add_option("--backup-dir", flags.config.backup_dir,
                 "Folder for backups, best on another disk; all processes of a control plane share it")
      ->envname("CHARTLY_BACKUP_DIR");
  CLI::Option* bucket =
      app.add_option("--backup-s3", flags.config.backup_bucket.url,
                     "https://HOST[:PORT]/BUCKET[/PREFIX] of an object store that speaks S3, to which each backup of "
                     "--backup-dir is copied, and from which --restore fetches what that folder lacks")
          ->envname("CHARTLY_BACKUP_S3");
  app.add_option("--backup-s3-region", flags.config.backup_bucket.region, "Region that requests are signed for")
      ->envname("CHARTLY_BACKUP_S3_REGION")
      ->needs(bucket)
      ->capture_default_str();
  app.add_option("--backup-s3-credentials", flags.config.backup_bucket.credentials_file,
                 "File with aws_access_key_id and aws_secret_access_key, read anew for each request; without it "
                 "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY hold them")
      ->envname("CHARTLY_BACKUP_S3_CREDENTIALS")
      ->needs(bucket);
  app.add_option("--backup-s3-ca-file", flags.config.backup_bucket.ca_file,
                 "PEM file of authorities to trust for the object store, beside those of the machine")
      ->needs(bucket);
  app.add_option("--backup-keep", flags.config.backup_keep, "Backups that stay once a new one is whole")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  CLI::Option* gates =
      app.add_option("--gate-pods", flags.config.gate_selector,
                     "Label selector of the pods of this namespace whose readiness gate argocd.argoproj.io/health the "
                     "observer opens once it has seen them do well; it takes an account that may list pods and patch "
                     "pods/status");
  app.add_option("--kube-account", flags.config.kube_folder, "Folder with token, ca.crt and namespace of that account")
      ->needs(gates)
      ->capture_default_str();
  app.add_option("--retention-check-seconds", flags.retention_seconds,
                 "How often records are looked for that their profile does not keep any longer")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--backup-log-seconds", flags.backup_log_seconds,
                 "How often what was written is archived beside the backups, so that every moment behind a backup can "
                 "be restored with --restore-to; 0 for never")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  app.add_option("--backup-log-limit", flags.config.backup_log_bytes,
                 "Bytes of each store's log that wait on --data while --backup-dir is away; if there are more, no "
                 "moment from then to the next backup can be restored")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("1GB");
  app.add_option("--restore", flags.restore, "Restore this backup of --backup-dir into the new folder --data, and exit")
      ->type_name("BACKUP");
  app.add_option(
         "--restore-to", flags.restore_to,
         "Restore the state of that moment, such as 2026-01-31T09:00:00Z, into the new folder --data, and exit: "
         "the newest backup that was whole by then (or --restore) and what was written behind it")
      ->type_name("TIME");
  app.add_option("--ports-file", flags.config.ports_file, "Write the bound addresses to this file as JSON");
  app.add_option("--heartbeat-ms", flags.heartbeat_ms, "How often drones beat, in milliseconds")
      ->check(CLI::Range(50, 60000))
      ->capture_default_str();
  app.add_option("--dedupe-memory", flags.config.dedupe_bytes,
                 "Bound of the dedupe index with its filters and look-ups, such as 2GB")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("1GB");
  app.add_option("--store-memory", flags.config.memory_bytes, "Bound of caches and buffers of the record store")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("256MB");
  app.add_option("--report-memory", flags.config.report_bytes, "What all reports together may take of memory")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("256MB");
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")->capture_default_str();
}

absl::Status ReadAddresses(const std::vector<std::string>& texts, std::map<Part, std::string>& out) {
  for (const std::string& text : texts) {
    ASSIGN_OR_RETURN(auto named, ParseNamedAddress(text));
    ASSIGN_OR_RETURN(std::vector<Part> part, ParseParts(named.first));
    for (Part each : part) out[each] = named.second;
  }
  return absl::OkStatus();
}

absl::Status Complete(Flags& flags) {
  ASSIGN_OR_RETURN(flags.config.parts, ParseParts(flags.services));
  RETURN_IF_ERROR(ReadAddresses(flags.rpc_listen, flags.config.rpc_listen));
  RETURN_IF_ERROR(ReadAddresses(flags.peers, flags.config.peers));
  RETURN_IF_ERROR(ParseAddress(flags.config.listen).status());
  if (!flags.config.admin_listen.empty()) RETURN_IF_ERROR(ParseAddress(flags.config.admin_listen).status());
  RETURN_IF_ERROR(Annotate(net::EgressPolicy::Create(flags.config.trusted_proxies).status(), "--trusted-proxies"));
  flags.config.retention_interval = absl::Seconds(flags.retention_seconds);
  flags.config.certificate_life = absl::Seconds(flags.certificate_seconds);
  flags.config.session_idle = absl::Seconds(flags.session_idle_seconds);
  flags.config.session_life = absl::Seconds(flags.session_seconds);
  flags.config.backup_log_interval = absl::Seconds(flags.backup_log_seconds);
  flags.config.heartbeat_interval = absl::Milliseconds(flags.heartbeat_ms);
  if (const char* key = std::getenv("REGISTRY_API_KEY")) flags.config.registry_api_key = key;
  return absl::OkStatus();
}

absl::StatusOr<backup::RestoreTarget> TargetOf(const Flags& flags) {
  backup::RestoreTarget target;
  target.backup = flags.restore;
  if (flags.restore_to.empty()) return target;
  absl::Time moment;
  std::string why;
  if (!absl::ParseTime(absl::RFC3339_full, flags.restore_to, &moment, &why)) {
    return Error(absl::StatusCode::kInvalidArgument, "FLAG_INVALID",
                 absl::StrCat("--restore-to takes a time with its zone, such as 2026-01-31T09:00:00Z, not '",
                              flags.restore_to, "': ", why));
  }
  target.moment = moment;
  return target;
}

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "chartly-control: %s\n", std::string(status.message()).c_str());
  return code;
}

}  // namespace

int RunControl(int argc, char** argv) {
  BlockStopSignals();
  rpc::PollConnectionsOften();
  CLI::App app("The control plane of Chartly: profiles, drones, runs, records, reports and the page.",
               "chartly-control");
  app.set_version_flag("--version", kVersion);
  Flags flags;
  Declare(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status complete = Complete(flags);
  if (!complete.ok()) return Fail(complete, 2);
  InitLog("chartly-control", flags.log_level);
  rpc::RecordRefusals(flags.audit_refusals);
  if (!flags.restore.empty() || !flags.restore_to.empty()) {
    const absl::StatusOr<backup::RestoreTarget> target = TargetOf(flags);
    if (!target.ok()) return Fail(target.status(), 2);
    const absl::Status restored = RestoreControl(flags.config, *target);
    return restored.ok() ? 0 : Fail(restored, 1);
  }
  absl::StatusOr<std::unique_ptr<Control>> control = Control::Start(flags.config);
  if (!control.ok()) return Fail(control.status(), 1);
  int signal = WaitForStopSignal();
  LogInfo("stopping", {{"signal", std::to_string(signal)}});
  (*control)->Shutdown();
  return 0;
}

}  // namespace chartly::control
