// The methods of CoordinatorService that are about backfills.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"
#include "control/coordinator/coordinator_service.h"
#include "control/coordinator/resource_name.h"

namespace chartly::coordinator {
namespace {

absl::StatusOr<size_t> ParsePlace(absl::string_view token) {
  size_t place = 0;
  if (token.empty() || absl::SimpleAtoi(token, &place)) return place;
  return Error(absl::StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID",
               "page_token is not one that a page of partitions ended with; leave it empty for the first page");
}

}  // namespace

grpc::Status CoordinatorService::CreateBackfill(grpc::ServerContext* context, const v1::CreateBackfillRequest* request,
                                                v1::Backfill* response) {
  return guard_.Unary(
      context, "CreateBackfill", *request, response, [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Backfill> {
        absl::string_view id = absl::StripPrefix(request->profile_id(), "profiles/");
        ASSIGN_OR_RETURN(std::string profile, ParseName(absl::StrCat("profiles/", id), "profiles"));
        absl::Status fresh = tenants_.Of(caller).profiles.Refresh(profile);  // it may have been applied a moment ago
        absl::StatusOr<v1::Backfill> backfill =
            tenants_.Of(caller).coordinator.CreateBackfill(profile, *request, caller.principal);
        if (absl::IsNotFound(backfill.status()) && !fresh.ok() && !absl::IsNotFound(fresh)) return fresh;
        return backfill;
      });
}

grpc::Status CoordinatorService::ListBackfills(grpc::ServerContext* context, const v1::ListBackfillsRequest* request,
                                               v1::ListBackfillsResponse* response) {
  return guard_.Unary(context, "ListBackfills", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListBackfillsResponse> {
                        ASSIGN_OR_RETURN(size_t size, PageSize(request->page_size(), 50, 1000));
                        std::vector<v1::Backfill> found = tenants_.Of(caller).coordinator.ListBackfills(
                            request->page_token(), size + 1, request->profile_id(), caller.projects);
                        v1::ListBackfillsResponse answer;
                        if (found.size() > size) {
                          found.pop_back();
                          answer.set_next_page_token(found.back().backfill_id());
                        }
                        for (v1::Backfill& backfill : found) *answer.add_backfills() = std::move(backfill);
                        return answer;
                      });
}

grpc::Status CoordinatorService::GetBackfill(grpc::ServerContext* context, const v1::GetBackfillRequest* request,
                                             v1::Backfill* response) {
  return guard_.Unary(context, "GetBackfill", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Backfill> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "backfills"));
                        RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckBackfill(id, caller.projects));
                        return tenants_.Of(caller).coordinator.GetBackfill(id);
                      });
}

grpc::Status CoordinatorService::ListPartitions(grpc::ServerContext* context, const v1::ListPartitionsRequest* request,
                                                v1::ListPartitionsResponse* response) {
  return guard_.Unary(context, "ListPartitions", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::ListPartitionsResponse> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->parent(), "backfills"));
                        RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckBackfill(id, caller.projects));
                        ASSIGN_OR_RETURN(size_t size, PageSize(request->page_size(), 100, 1000));
                        ASSIGN_OR_RETURN(size_t from, ParsePlace(request->page_token()));
                        ASSIGN_OR_RETURN(
                            std::vector<v1::Partition> found,
                            tenants_.Of(caller).coordinator.ListPartitions(id, from, size + 1, request->state()));
                        v1::ListPartitionsResponse answer;
                        if (found.size() > size) {
                          answer.set_next_page_token(absl::StrCat(found.back().index()));
                          found.pop_back();
                        }
                        for (v1::Partition& partition : found) *answer.add_partitions() = std::move(partition);
                        return answer;
                      });
}

grpc::Status CoordinatorService::PauseBackfill(grpc::ServerContext* context, const v1::PauseBackfillRequest* request,
                                               v1::Backfill* response) {
  return guard_.Unary(context, "PauseBackfill", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Backfill> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "backfills"));
                        RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckBackfill(id, caller.projects));
                        return tenants_.Of(caller).coordinator.PauseBackfill(id, request->reason());
                      });
}

grpc::Status CoordinatorService::ResumeBackfill(grpc::ServerContext* context, const v1::ResumeBackfillRequest* request,
                                                v1::Backfill* response) {
  return guard_.Unary(context, "ResumeBackfill", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Backfill> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "backfills"));
                        RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckBackfill(id, caller.projects));
                        return tenants_.Of(caller).coordinator.ResumeBackfill(id);
                      });
}

grpc::Status CoordinatorService::CancelBackfill(grpc::ServerContext* context, const v1::CancelBackfillRequest* request,
                                                v1::Backfill* response) {
  return guard_.Unary(context, "CancelBackfill", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Backfill> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "backfills"));
                        RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckBackfill(id, caller.projects));
                        return tenants_.Of(caller).coordinator.CancelBackfill(id);
                      });
}

grpc::Status CoordinatorService::RetryBackfill(grpc::ServerContext* context, const v1::RetryBackfillRequest* request,
                                               v1::Backfill* response) {
  return guard_.Unary(context, "RetryBackfill", *request, response,
                      [&](const rpc::Caller& caller) -> absl::StatusOr<v1::Backfill> {
                        ASSIGN_OR_RETURN(std::string id, ParseName(request->name(), "backfills"));
                        RETURN_IF_ERROR(tenants_.Of(caller).coordinator.CheckBackfill(id, caller.projects));
                        return tenants_.Of(caller).coordinator.RetryBackfill(id);
                      });
}

}  // namespace chartly::coordinator
