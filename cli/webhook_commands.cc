// chartly webhook send
#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/session.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "common/webhook/webhook_signature.h"

namespace chartly::cli {
namespace {

struct SendOptions {
  std::string profile;
  std::string file;
  std::string secret_file;
  std::string id;
  std::string content_type = "application/json";
};

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file) return text;
  return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE", absl::StrCat("cannot read ", path),
               {{"file", path}});
}

absl::Status Send(Session& session, const SendOptions& options) {
  ASSIGN_OR_RETURN(std::string body, ReadWhole(options.file));
  ASSIGN_OR_RETURN(std::string secret, ReadWhole(options.secret_file));
  absl::StatusOr<std::string> key = WebhookKeyOf(absl::StripSuffix(absl::StripSuffix(secret, "\n"), "\r"));
  if (!key.ok()) return Annotate(key.status(), options.secret_file);
  int64_t now = absl::ToUnixSeconds(absl::Now());
  // The same file again within a second is the same delivery.
  std::string id = options.id.empty() ? absl::StrCat("cli_", now, "_", Sha256Hex(body).substr(0, 16)) : options.id;
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->PostBytes(absl::StrCat("/api/webhooks/", PercentEncode(options.profile)),
                                               {{"Content-Type", options.content_type},
                                                {"webhook-id", id},
                                                {"webhook-timestamp", absl::StrCat(now)},
                                                {"webhook-signature", SignWebhook(*key, id, now, body)}},
                                               body));
  if (session.json()) {
    session.PrintJson(answer);
  } else if (answer["already_taken"].boolean()) {
    session.out << id << " had been taken before; nothing was stored\n";
  } else {
    session.out << id << " is taken; its run is seen with: chartly run list --profile " << options.profile << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddWebhookCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("webhook", "Try webhooks out");
  noun.require_subcommand(1)->fallthrough();
  auto options = std::make_shared<SendOptions>();
  CLI::App* verb = AddVerb(noun, session, "send", "Sign a file and post it, as a source would",
                           [&session, options] { return Send(session, *options); });
  verb->add_option("PROFILE", options->profile, "Id of a profile with a source of type webhook")->required();
  verb->add_option("FILE", options->file, "The payload")->required();
  verb->add_option("--secret-file", options->secret_file, "File with the key, as the control plane has it")
      ->type_name("FILE")
      ->required();
  verb->add_option("--id", options->id, "webhook-id; the same again is taken once (default: made of time and content)")
      ->type_name("ID");
  verb->add_option("--content-type", options->content_type, "What the payload is")
      ->type_name("TYPE")
      ->capture_default_str();
}

}  // namespace chartly::cli
