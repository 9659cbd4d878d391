#include "common/rpc/project_scope.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "chartly/v1/reporter.pb.h"
#include "common/rpc/access.h"
#include "common/rpc/credential_directory.h"
#include "common/rpc/guard.h"
#include "common/rpc/key_token.h"
#include "common/rpc/profile_fields.h"
#include "common/rpc/rpc_server.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::rpc {
namespace {

const google::protobuf::MethodDescriptor& MethodOf(const std::string& name) {
  const auto* method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName("chartly.v1." + name);
  REQUIRE(method != nullptr);
  return *method;
}

// Gives out one key, an admin that is bound to the projects energy and water.
class OneBoundKey final : public CredentialDirectory {
 public:
  absl::StatusOr<Caller> CheckKey(absl::string_view, const KeyDigest&) override {
    Caller caller;
    caller.kind = CallerKind::kKey;
    caller.role = Role::kAdmin;
    caller.principal = "keys/bound";
    caller.projects = ProjectScope::BoundTo({"water", "energy"});
    return caller;
  }
  absl::StatusOr<Caller> CheckSession(const KeyDigest&) override { return UnknownKey(); }
  absl::StatusOr<Caller> CheckToken(absl::string_view) override { return UnknownKey(); }
  absl::StatusOr<Caller> CheckDrone(const DroneIdentity&) override { return UnknownKey(); }
};

class RecordingSink final : public AuditSink {
 public:
  absl::Status Record(const AuditEntry& entry) override {
    entries.push_back(entry);
    return absl::OkStatus();
  }
  void Refused(const AuditEntry& entry) override { refusals.push_back(entry); }
  std::vector<AuditEntry> entries;
  std::vector<AuditEntry> refusals;
};

// It counts the calls that get through.
class Profiles final : public v1::RegistryService::Service {
 public:
  Profiles(const Authenticator& authenticator, AuditSink& sink)
      : guard_("chartly.v1.RegistryService", authenticator, &sink),
        releases_("chartly.v1.ReleasesService", authenticator, &sink) {}
  grpc::Status DeleteProfile(grpc::ServerContext* context, const v1::DeleteProfileRequest* request,
                             google::protobuf::Empty* response) override {
    return guard_.Unary(context, "DeleteProfile", *request, response, [&](const Caller&) {
      ++calls;
      return absl::StatusOr<google::protobuf::Empty>(google::protobuf::Empty());
    });
  }
  // Takes the rule of a method that is about the whole tenant.
  grpc::Status ListProfiles(grpc::ServerContext* context, const v1::ListProfilesRequest* request,
                            v1::ListProfilesResponse* response) override {
    return releases_.Unary(context, "ListDeployments", *request, response, [&](const Caller&) {
      ++calls;
      return absl::StatusOr<v1::ListProfilesResponse>(v1::ListProfilesResponse());
    });
  }
  // Shows the guard no request of a method in which profiles are named.
  grpc::Status WatchProfiles(grpc::ServerContext* context, const v1::WatchProfilesRequest*,
                             grpc::ServerWriter<v1::WatchProfilesResponse>*) override {
    return guard_.Stream(context, "GetProfile", [&](const Caller&) {
      ++calls;
      return absl::OkStatus();
    });
  }
  int calls = 0;

 private:
  const Guard guard_;
  const Guard releases_;
};

struct Fixture {
  OneBoundKey directory;
  KeyAuthenticator authenticator{{{"admin", "a-key-of-the-admin"}}};
  RecordingSink sink;
  Profiles service{authenticator, sink};
  RpcServer server;
  const std::string key = MakeKey("bound").value();
  Fixture() {
    authenticator.SetDirectory(directory);
    server.Listen("127.0.0.1:0");
    server.AddService(&service);
    REQUIRE_OK(server.Start());
  }
  absl::Status Delete(const std::string& name, const std::string& with) {
    grpc::ClientContext context;
    v1::DeleteProfileRequest request;
    request.set_name(name);
    google::protobuf::Empty answer;
    return FromGrpcStatus(
        v1::RegistryService::NewStub(server.InProcessChannel(with))->DeleteProfile(&context, request, &answer));
  }
  absl::Status Watch(const std::string& with) {
    grpc::ClientContext context;
    v1::WatchProfilesResponse answer;
    auto reader = v1::RegistryService::NewStub(server.InProcessChannel(with))->WatchProfiles(&context, {});
    while (reader->Read(&answer)) {
    }
    return FromGrpcStatus(reader->Finish());
  }
  absl::Status List(const std::string& with) {
    grpc::ClientContext context;
    v1::ListProfilesResponse answer;
    return FromGrpcStatus(
        v1::RegistryService::NewStub(server.InProcessChannel(with))->ListProfiles(&context, {}, &answer));
  }
};

std::string Word(std::mt19937& random) {
  static const char* const kWords[] = {"a", "b", "ab", "a-b", "a_b", "b2"};
  return kWords[random() % 6];
}

}  // namespace

TEST_CASE("a profile is of the project before its first dot, and of none without one") {
  const ProjectScope energy = ProjectScope::BoundTo({"energy"});
  CHECK(energy.Includes("energy.prices"));
  CHECK(energy.Includes("energy.prices.de"));
  CHECK(energy.Includes("energy."));
  for (const char* other : {"energy", "energyprices", "energies.x", "x.energy", "x.energy.y", ".energy", "", ".",
                            "Energy.x", "energy-x.y", " energy.x", "profiles/energy.x"}) {
    INFO(other);
    CHECK_FALSE(energy.Includes(other));
    CHECK(ProjectScope().Includes(other));
  }
  CHECK_FALSE(ProjectScope::BoundTo({}).Includes("energy.prices"));
}

TEST_CASE("scopes include and cover as sets of projects do") {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::set<std::string> sets[2];
    for (auto& set : sets) {
      for (size_t left = random() % 5; left > 0; --left) set.insert(Word(random));
    }
    const auto bound = [](const std::set<std::string>& set) {
      std::vector<std::string> projects(set.rbegin(), set.rend());
      projects.insert(projects.end(), set.begin(), set.end());  // in no order, and twice
      return ProjectScope::BoundTo(std::move(projects));
    };
    const ProjectScope a = bound(sets[0]);
    const ProjectScope b = bound(sets[1]);
    const std::string project = Word(random);
    CHECK(a.Includes(absl::StrCat(project, ".", Word(random))) == (sets[0].count(project) > 0));
    CHECK(a.Covers(b) == std::includes(sets[0].begin(), sets[0].end(), sets[1].begin(), sets[1].end()));
    CHECK((a == b) == (sets[0] == sets[1]));
    CHECK(ProjectScope().Covers(a));
    CHECK_FALSE(a.Covers(ProjectScope()));
  }
}

TEST_CASE("only names of projects are taken, at most 32") {
  CHECK_FALSE(ProjectScope::Parse({})->bound());
  CHECK(ProjectScope::Parse({"water", "energy", "water"})->projects() == std::vector<std::string>{"energy", "water"});
  for (const std::string& name : {std::string(), std::string("a.b"), std::string("*"), std::string("-a"),
                                  std::string("A"), std::string(64, 'a')}) {
    INFO(name);
    CHECK(Reason(ProjectScope::Parse({"good", name}).status()) == "FIELD_INVALID");
  }
  std::vector<std::string> many;
  for (size_t i = 0; i <= ProjectScope::kMaxProjects; ++i) many.push_back(absl::StrCat("p", i));
  CHECK(Reason(ProjectScope::Parse(many).status()) == "FIELD_INVALID");
  many.pop_back();
  CHECK_OK(ProjectScope::Parse(many));
}

TEST_CASE("profiles are found wherever a request names them") {
  const ProfileFields named(MethodOf("RegistryService.GetProfile"));
  v1::GetProfileRequest get;
  CHECK(named.In(get).empty());
  for (const char* name : {"profiles/energy.prices", "profiles/energy.prices@sha256:00", "energy.prices"}) {
    get.set_name(name);
    CHECK(named.In(get) == std::vector<std::string>{"energy.prices"});
  }
  // What is no name of ours stays what it is, and is of no project.
  get.set_name("x/energy.prices");
  CHECK(named.In(get) == std::vector<std::string>{"x/energy.prices"});

  const ProfileFields nested(MethodOf("ReporterService.ExportReport"));
  v1::ExportReportRequest report;
  CHECK(nested.In(report).empty());
  report.mutable_report()->add_inputs()->set_profile_id("energy.prices");
  report.mutable_report()->add_inputs();
  CHECK(nested.In(report) == std::vector<std::string>{"energy.prices", ""});
}

TEST_CASE("every method that a key can call says how it deals with bound callers, and where it names profiles") {
  int decided = 0;
  for (const char* file :
       {"auth", "audit", "observer", "registry", "coordinator", "aggregator", "reporter", "releases"}) {
    const auto* found =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(absl::StrCat("chartly/v1/", file, ".proto"));
    for (int i = 0; found != nullptr && i < found->service_count(); ++i) {
      CHECK_OK(CheckServicesHaveRules({found->service(i)->full_name()}));
      decided += found->service(i)->method_count();
    }
  }
  CHECK(decided > 50);  // those that are linked here; docs/access.md has all
}

TEST_CASE("a bound caller gets through for its projects, and is told which those are for others") {
  Fixture fixture;
  CHECK_OK(fixture.Delete("profiles/energy.prices", fixture.key));
  REQUIRE(fixture.sink.entries.size() == 2);
  CHECK(fixture.sink.entries[0].detail == "bound to the projects energy, water");
  CHECK_OK(fixture.Delete("profiles/waste.prices", "a-key-of-the-admin"));
  CHECK(fixture.sink.entries.back().detail.empty());
  CHECK(fixture.service.calls == 2);
  for (const char* name : {"profiles/waste.prices", "profiles/prices", "profiles/energy", "", "waste.energy.x"}) {
    const absl::Status refused = fixture.Delete(name, fixture.key);
    CHECK(absl::IsPermissionDenied(refused));
    CHECK(Reason(refused) == "PROJECT_NOT_YOURS");
    CHECK(std::string(refused.message()).find("keys/bound is bound to the projects energy, water") == 0);
  }
  CHECK(fixture.service.calls == 2);
  CHECK(fixture.sink.entries.size() == 4);  // nothing began
  REQUIRE(fixture.sink.refusals.size() == 5);
  CHECK(fixture.sink.refusals[0].subject == "profiles/waste.prices");
  CHECK(fixture.sink.refusals[0].outcome == "PERMISSION_DENIED");
}

TEST_CASE("what is about the whole tenant is not for bound callers") {
  Fixture fixture;
  CHECK_OK(fixture.List("a-key-of-the-admin"));
  CHECK(Reason(fixture.List(fixture.key)) == "PROJECTS_NOT_SERVED");
  CHECK(fixture.service.calls == 1);
  CHECK(fixture.sink.refusals.size() == 1);
  // Nor is what names profiles where the guard cannot look for them.
  CHECK_OK(fixture.Watch("a-key-of-the-admin"));
  CHECK(Reason(fixture.Watch(fixture.key)) == "METHOD_WITHOUT_RULE");
  CHECK(fixture.service.calls == 2);
  Caller caller;
  CHECK_OK(CheckBinding(v1::BINDING_UNSPECIFIED, caller, "Any"));
  caller.projects = ProjectScope::BoundTo({});
  CHECK(Reason(CheckBinding(v1::BINDING_UNSPECIFIED, caller, "Any")) == "METHOD_WITHOUT_RULE");
}

}  // namespace chartly::rpc
