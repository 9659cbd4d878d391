// chartly deployment logs: what the pods of a deployment logged since it was opened, in one folder. It asks the API of
// the cluster with the rights of whoever calls: no part of Chartly may read logs.
#include "cli/deployment_logs.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/log_bundle.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/config/parts.h"
#include "common/kube/kube_client.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr int64_t kLinesMax = 1000000;  // that the cluster sends of one log
constexpr char kNoCluster[] =
    "no cluster to ask: run `kubectl proxy` and say --kube-url http://127.0.0.1:8001, give --kube-url with "
    "--kube-token-file, or add logs of other places with --log NAME=FILE";

struct LogsOptions {
  std::string id;
  std::string folder;
  std::string name_space;
  kube::KubeAccess kube;
  std::vector<std::string> files;
  int64_t bytes_max = int64_t{64} << 20;
};

// One log that the bundle is to hold.
struct Wanted {
  std::string name;
  Json about = Json::Object();
  std::function<absl::StatusOr<LogBundle::Pieces>()> open;
};

// The cluster that the options name, or that of the pod this runs in; none if there is neither.
absl::StatusOr<std::unique_ptr<kube::KubeClient>> FindCluster(const Session& session, const LogsOptions& options) {
  kube::KubeAccess access = options.kube;
  if (access.url.empty()) {
    absl::StatusOr<kube::KubeAccess> own = kube::AccessOfPod([&](const char* name) { return session.Variable(name); });
    if (!own.ok()) return nullptr;
    access = *std::move(own);
  }
  if (!options.name_space.empty()) access.name_space = options.name_space;
  if (access.name_space.empty()) access.name_space = "chartly";
  return kube::KubeClient::Create(std::move(access));
}

// Whether a pod of the release runs its image, as far as the pod names images by digest.
bool RunsImage(const kube::KubePod& pod, const std::string& digest) {
  return std::all_of(pod.containers.begin(), pod.containers.end(), [&](const kube::KubeContainer& container) {
    return digest.empty() || !absl::StrContains(container.image, '@') || absl::EndsWith(container.image, "@" + digest);
  });
}

std::string Label(const kube::KubePod& pod, const std::string& name) {
  auto found = pod.labels.find(name);
  return found == pod.labels.end() ? "" : found->second;
}

Wanted LogOf(kube::KubeClient& kube, const kube::KubePod& pod, const kube::KubeContainer& container, bool previous,
             const std::string& since) {
  Wanted wanted;
  const std::string component = Label(pod, "app.kubernetes.io/component");
  wanted.name = absl::StrCat(component.empty() ? "other" : component, "/", pod.name, "/", container.name,
                             previous ? ".previous.log" : ".log");
  wanted.about.Set("component", Json::Text(component))
      .Set("pod", Json::Text(pod.name))
      .Set("container", Json::Text(container.name))
      .Set("node", Json::Text(pod.node))
      .Set("phase", Json::Text(pod.phase))
      .Set("version", Json::Text(Label(pod, "app.kubernetes.io/version")))
      .Set("image", Json::Text(container.image))
      .Set("image_id", Json::Text(container.image_id))
      .Set("restarts", Json::Integer(container.restarts))
      .Set("before_restart", Json::Boolean(previous));
  kube::KubeLogRequest request{pod.name, container.name, previous, since, kLinesMax};
  wanted.open = [&kube, request]() -> absl::StatusOr<LogBundle::Pieces> {
    ASSIGN_OR_RETURN(std::unique_ptr<net::HttpStream> stream, kube.OpenLog(request));
    std::shared_ptr<net::HttpStream> shared = std::move(stream);
    return LogBundle::Pieces([shared] { return shared->Read(); });
  };
  return wanted;
}

// The logs of all containers of the pods that run the release, also of those before their last restart.
absl::Status FindPods(kube::KubeClient& kube, const Json& deployment, std::vector<Wanted>& wanted) {
  // A label has no room for the + of build metadata; images are named with _ then.
  const std::string version = absl::StrReplaceAll(deployment["release_version"].text(), {{"+", "_"}});
  const std::string selector = absl::StrCat("app.kubernetes.io/part-of=chartly,app.kubernetes.io/version=", version);
  ASSIGN_OR_RETURN(const std::vector<kube::KubePod> pods, kube.ListPods(selector));
  for (const kube::KubePod& pod : pods) {
    if (!RunsImage(pod, deployment["image_digest"].text())) continue;
    for (const kube::KubeContainer& container : pod.containers) {
      wanted.push_back(LogOf(kube, pod, container, false, deployment["create_time"].text()));
      if (container.restarts > 0) {
        wanted.push_back(LogOf(kube, pod, container, true, deployment["create_time"].text()));
      }
    }
  }
  return absl::OkStatus();
}

// NAME=FILE: a log that somebody else wrote, such as `docker compose logs`.
absl::StatusOr<Wanted> LogOfFile(const std::string& text) {
  const size_t at = text.find('=');
  const std::string name = text.substr(0, at);
  const bool plain = !name.empty() && name.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-") == std::string::npos;
  if (at == std::string::npos || !plain) {
    return Error(absl::StatusCode::kInvalidArgument, "LOG_INVALID",
                 absl::StrCat("--log ", text, ": it is NAME=FILE, with a name of letters, digits, _ and -"));
  }
  Wanted wanted;
  const std::string path = text.substr(at + 1);
  wanted.name = absl::StrCat("files/", name, ".log");
  wanted.about.Set("component", Json::Text(name)).Set("path", Json::Text(path));
  wanted.open = [path]() -> absl::StatusOr<LogBundle::Pieces> {
    auto file = std::make_shared<std::ifstream>(path, std::ios::binary);
    if (!*file) {
      return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE", absl::StrCat("cannot read ", path));
    }
    auto room = std::make_shared<std::string>(size_t{64} << 10, '\0');
    return LogBundle::Pieces([file, room]() -> absl::StatusOr<absl::string_view> {
      file->read(room->data(), static_cast<std::streamsize>(room->size()));
      return absl::string_view(room->data(), static_cast<size_t>(file->gcount()));
    });
  };
  return wanted;
}

Json HeadOf(const Json& deployment, const LogsOptions& options) {
  Json head = Json::Object();
  head.Set("deployment", deployment)
      .Set("made_time", Json::Text(absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone())))
      .Set("made_by", Json::Text(absl::StrCat("chartly ", kVersion)))
      .Set("since", deployment["create_time"])
      .Set("bytes_max", Json::Integer(options.bytes_max));
  return head;
}

absl::Status PrintBundle(Session& session, const std::string& folder, const Json& bundle) {
  int missing = 0;
  for (const Json& log : bundle["logs"].items()) missing += !log["error"].is_null();
  if (session.json()) {
    session.PrintJson(bundle);
  } else {
    Table table({"COMPONENT", "VERSION", "LINES", "SIZE", "LEFT OUT", "REDACTED", "FILE"});
    for (const Json& log : bundle["logs"].items()) {
      table.Add({log["component"].text(), log["version"].text(), std::to_string(log["lines"].integer()),
                 FormatBytes(log["bytes"].integer()), std::to_string(log["older_lines_left_out"].integer()),
                 std::to_string(log["redacted"].integer()),
                 log["error"].is_null() ? log["file"].text() : Shorten(log["error"].text(), 60)});
    }
    table.Print(session.out, "");
    session.out << folder << "/bundle.json says what each is of; " << bundle["requests"].items().size()
                << " request ids\n";
  }
  if (missing == 0) return absl::OkStatus();
  if (missing == static_cast<int>(bundle["logs"].items().size())) {
    return Error(absl::StatusCode::kFailedPrecondition, "LOGS_UNAVAILABLE",
                 absl::StrCat("none of the logs could be had whole; ", folder, "/bundle.json says why"));
  }
  session.err << missing << " of " << bundle["logs"].items().size() << " logs could not be had whole\n";
  return absl::OkStatus();
}

absl::Status MakeBundle(Session& session, LogsOptions options) {
  const std::string id(absl::StripPrefix(options.id, "deployments/"));
  if (options.folder.empty()) options.folder = absl::StrCat("deployment-", id, "-logs");
  std::vector<Wanted> wanted;
  for (const std::string& text : options.files) {
    ASSIGN_OR_RETURN(Wanted file, LogOfFile(text));
    wanted.push_back(std::move(file));
  }
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(const Json deployment, api->Get(absl::StrCat("/api/deployments/", PercentEncode(id))));
  ASSIGN_OR_RETURN(const std::unique_ptr<kube::KubeClient> kube, FindCluster(session, options));
  if (kube != nullptr) RETURN_IF_ERROR(FindPods(*kube, deployment, wanted));
  if (wanted.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, kube == nullptr ? "KUBE_UNKNOWN" : "DEPLOYMENT_HAS_NO_PODS",
                 kube == nullptr
                     ? kNoCluster
                     : absl::StrCat("no pod of namespace ", kube->access().name_space, " runs version ",
                                    deployment["release_version"].text(), "; name another with --namespace"));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<LogBundle> bundle,
                   LogBundle::Create(options.folder, options.bytes_max / static_cast<int64_t>(wanted.size()),
                                     LogRedactor({session.Variable("CHARTLY_KEY")})));
  for (const Wanted& each : wanted) {
    const absl::StatusOr<LogBundle::Pieces> pieces = each.open();
    if (pieces.ok()) {
      RETURN_IF_ERROR(bundle->Add(each.name, each.about, *pieces));
    } else {
      bundle->AddMissing(each.name, each.about, pieces.status());
    }
  }
  ASSIGN_OR_RETURN(const Json made, bundle->Finish(HeadOf(deployment, options)));
  return PrintBundle(session, options.folder, made);
}

}  // namespace

void AddDeploymentLogs(CLI::App& noun, Session& session) {
  auto options = std::make_shared<LogsOptions>();
  CLI::App* verb = AddVerb(noun, session, "logs", "Collect what a deployment logged since it was opened, in a folder",
                           [&session, options] { return MakeBundle(session, *options); });
  verb->add_option("DEPLOYMENT", options->id, "Id of the deployment")->required();
  verb->add_option("--out", options->folder, "The folder to make (default: deployment-ID-logs)")->type_name("FOLDER");
  verb->add_option("--namespace", options->name_space, "Where its pods are (default: that of this pod, or chartly)")
      ->type_name("NAME");
  CLI::Option* url = verb->add_option("--kube-url", options->kube.url,
                                      "API of the cluster, or `kubectl proxy` (default: that of the pod this runs in)")
                         ->type_name("URL");
  verb->add_option("--kube-token-file", options->kube.token_file, "File with a token for it")
      ->needs(url)
      ->type_name("FILE");
  verb->add_option("--kube-ca-file", options->kube.ca_file, "PEM file of the authorities of its certificate")
      ->needs(url)
      ->type_name("FILE");
  verb->add_option("--log", options->files,
                   "A log from elsewhere, such as control=FILE of `docker compose logs`; repeatable")
      ->type_name("NAME=FILE");
  verb->add_option("--bytes-max", options->bytes_max,
                   "Bound of all logs together, such as 64MB; each has the same share, of which the newest lines stay")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("64MB");
}

}  // namespace chartly::cli
