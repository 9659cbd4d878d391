#include "bench/fleet_server.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "bench/bench_report.h"
#include "chartly/v1/aggregator.grpc.pb.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/peers.h"
#include "common/rpc/rpc_server.h"
#include "common/telemetry/log.h"
#include "control/coordinator/coordinator_component.h"

namespace chartly::bench {
namespace {

constexpr char kServeFlag[] = "--serve-fleet";

// Tells of the profiles that were published.
class PublishedProfiles final : public v1::RegistryService::Service {
 public:
  grpc::Status WatchProfiles(grpc::ServerContext* context, const v1::WatchProfilesRequest*,
                             grpc::ServerWriter<v1::WatchProfilesResponse>* writer) override {
    size_t sent = 0;
    do {
      std::vector<v1::Profile> news;
      {
        absl::MutexLock lock(&mu_);
        auto due = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return profiles_.size() > sent || closed_; };
        if (sent > 0 || profiles_.empty()) mu_.AwaitWithTimeout(absl::Condition(&due), absl::Milliseconds(100));
        if (closed_) break;
        news.assign(profiles_.begin() + static_cast<ptrdiff_t>(sent), profiles_.end());
      }
      sent += news.size();
      for (v1::Profile& profile : news) {
        v1::WatchProfilesResponse change;
        *change.mutable_profile() = std::move(profile);
        writer->Write(change);
      }
      v1::WatchProfilesResponse synced;
      synced.set_in_sync(true);
      if (!writer->Write(synced)) break;
    } while (!context->IsCancelled());
    return grpc::Status::OK;
  }
  void Publish(int count, int redundancy) {
    absl::MutexLock lock(&mu_);
    for (int i = 0; i < count; ++i) {
      v1::Profile& profile = profiles_.emplace_back();
      profile.set_id(absl::StrCat("profile-", profiles_.size()));
      profile.set_revision("sha256:1");
      profile.set_content(absl::StrCat("id: ", profile.id(),
                                       "\nname: A profile\nversion: 1.0.0\nsource:\n  type: http_rest\n  url: "
                                       "http://source-",
                                       profiles_.size() % 500,
                                       ".example.gov/data\n  format: json\nschedule: "
                                       "{interval: 6h}\nplacement: {redundancy: ",
                                       redundancy, "}\nmapping:\n  id: dims.id\n"));
      profile.set_enabled(true);
      profile.mutable_interval()->set_seconds(6 * 3600);
      profile.set_generation(1);
    }
  }
  void Close() {
    absl::MutexLock lock(&mu_);
    closed_ = true;
  }

 private:
  absl::Mutex mu_;
  std::vector<v1::Profile> profiles_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

// Has no end of any run until it has that of all.
class ToldLedger final : public v1::RecordService::Service {
 public:
  grpc::Status GetRunLedger(grpc::ServerContext*, const v1::GetRunLedgerRequest*, v1::RunLedger* ledger) override {
    if (!ended) return grpc::Status(grpc::StatusCode::NOT_FOUND, "nothing arrived");
    ledger->mutable_balance()->set_stored(1);
    ledger->mutable_end()->set_fetched(1);
    return grpc::Status::OK;
  }
  std::atomic<bool> ended = false;
};

int Serve(const FleetServerOptions& options) {
  InitLog("fleet_server", "error");
  SystemClock clock;
  rpc::KeyAuthenticator authenticator(std::vector<rpc::DeploymentKey>{{"admin", kFleetKey}});
  rpc::Peers peers({}, kFleetKey);
  coordinator::CoordinatorConfig config;
  config.data_dir = options.dir;
  config.heartbeat_interval = absl::Milliseconds(options.interval_ms);
  config.lease_min = absl::Milliseconds(options.lease_min_ms);
  config.runs_max = 100'000;
  auto component = coordinator::CoordinatorComponent::Open(config, authenticator, nullptr, peers, clock);
  RequireOk(component.status(), "opening the coordinator");
  PublishedProfiles registry;
  ToldLedger ledger;
  rpc::RpcServer server;
  server.Listen(absl::StrCat("127.0.0.1:", options.port));
  for (grpc::Service* service : (*component)->services()) server.AddService(service);
  server.AddService(&registry);
  server.AddService(&ledger);
  RequireOk(server.Start(), "starting the server");
  for (Part part : {Part::kRegistry, Part::kAggregator, Part::kCoordinator}) peers.SetLocal(part, server);
  RequireOk((*component)->Start(), "starting the coordinator");
  std::cout << server.ports()[0] << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] == "publish") registry.Publish(std::stoi(words[1]), std::stoi(words[2]));
    if (words[0] == "end") ledger.ended = true;
  }
  registry.Close();
  (*component)->Shutdown();
  server.Shutdown(absl::Seconds(2));
  return 0;
}

}  // namespace

double ResidentMiBOf(const std::string& process) {
  std::ifstream status(absl::StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

bool ServeFleet(int argc, char** argv, int* exit_code) {
  if (argc != 6 || std::strcmp(argv[1], kServeFlag) != 0) return false;
  FleetServerOptions options{argv[2], std::stoi(argv[3]), std::stoi(argv[4]), std::stoi(argv[5])};
  *exit_code = Serve(options);
  return true;
}

FleetServer::FleetServer(const FleetServerOptions& options) {
  int to[2];
  int from[2];
  if (::pipe(to) != 0 || ::pipe(from) != 0) RequireOk(absl::InternalError("no pipe"), "starting the server");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, to[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, from[1], 1);
  for (int fd : {to[0], to[1], from[0], from[1]}) ::posix_spawn_file_actions_addclose(&actions, fd);
  std::vector<std::string> words = {"/proc/self/exe",
                                    kServeFlag,
                                    options.dir,
                                    absl::StrCat(options.port),
                                    absl::StrCat(options.interval_ms),
                                    absl::StrCat(options.lease_min_ms)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int failed = ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(to[0]);
  ::close(from[1]);
  input_ = to[1];
  FILE* output = ::fdopen(from[0], "r");
  if (failed != 0 || std::fscanf(output, "%d", &port_) != 1) {
    RequireOk(absl::InternalError("it said no port"), "starting the server");
  }
  std::fclose(output);
}

FleetServer::~FleetServer() { Stop(0); }

void FleetServer::Kill() { Stop(SIGKILL); }

void FleetServer::Stop(int signal) {
  if (pid_ < 0) return;
  if (signal != 0) ::kill(pid_, signal);
  ::close(input_);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void FleetServer::Say(const std::string& line) {
  if (::write(input_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    RequireOk(absl::UnavailableError("it has ended"), "telling the server");
  }
}

void FleetServer::Publish(int profiles, int redundancy) {
  Say(absl::StrCat("publish ", profiles, " ", redundancy, "\n"));
}

void FleetServer::EndRuns() { Say("end\n"); }

double FleetServer::CpuSeconds() const {
  std::ifstream stat(absl::StrCat("/proc/", pid_, "/stat"));
  const std::string line((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  // The name, in brackets, may hold blanks; user and system time are the 12th and 13th word behind it.
  std::istringstream words(line.substr(line.rfind(')') + 2));
  const std::vector<std::string> all(std::istream_iterator<std::string>(words), {});
  return all.size() < 13 ? 0 : (std::stod(all[11]) + std::stod(all[12])) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double FleetServer::ResidentMiB() const { return ResidentMiBOf(absl::StrCat(pid_)); }

}  // namespace chartly::bench
