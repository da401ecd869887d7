#include "tensor/block_pool.h"

#include <cassert>
#include <limits>
#include <tuple>
#include <vector>

namespace tk {

bool BlockPool::BestFirst::operator()(const Block* a, const Block* b) const {
  return std::tuple(!a->is_small, a->size, b->freed_at) < std::tuple(!b->is_small, b->size, a->freed_at);
}

void* BlockPool::allocate(std::int64_t bytes) {
  const std::int64_t size = policy_.rounded(bytes);
  Block* block = best_for(size);
  if (block == nullptr) block = new_chunk(size);
  if (block == nullptr) return nullptr;
  set_used(*block);
  if (block->size > size) split(*block, size);
  return block->data;
}

bool BlockPool::deallocate(void* data) noexcept {
  const auto found = blocks_.find(data);
  if (found == blocks_.end()) return false;
  Block* block = &found->second;
  assert(!block->is_free());
  if (block->after != nullptr && block->after->is_free()) absorb_next(*block);
  if (block->before != nullptr && block->before->is_free()) {
    block = block->before;
    set_used(*block);
    absorb_next(*block);
  }
  set_free(*block);
  return true;
}

std::int64_t BlockPool::releasable() const {
  std::int64_t bytes = 0;
  for (const Block* block : free_) bytes += block->is_chunk() ? block->size : 0;
  return bytes;
}

void BlockPool::release() {
  const std::vector<Block*> blocks(free_.begin(), free_.end());
  for (Block* block : blocks) {
    if (!block->is_chunk()) continue;
    set_used(*block);
    system_.deallocate(block->data, block->size);
    blocks_.erase(block->data);
  }
}

BlockPool::Block* BlockPool::best_for(std::int64_t size) const {
  Block least{.data = nullptr, .size = size, .is_small = size < policy_.small};
  least.freed_at = std::numeric_limits<std::uint64_t>::max();
  const auto best = free_.lower_bound(&least);
  if (best == free_.end() || (*best)->is_small != least.is_small) return nullptr;
  return policy_.splits || (*best)->size == size ? *best : nullptr;
}

BlockPool::Block* BlockPool::new_chunk(std::int64_t size) {
  const std::int64_t bytes = policy_.chunk(size);
  assert(bytes >= size);
  void* const data = system_.allocate(bytes);
  if (data == nullptr) return nullptr;
  Block& block =
      blocks_.emplace(data, Block{.data = data, .size = bytes, .is_small = size < policy_.small}).first->second;
  set_free(block);
  return &block;
}

// Leaves `size` bytes to the block; what is behind them is free.
void BlockPool::split(Block& block, std::int64_t size) {
  void* const data = static_cast<char*>(block.data) + size;
  Block rest{
      .data = data, .size = block.size - size, .is_small = block.is_small, .before = &block, .after = block.after};
  Block& added = blocks_.emplace(data, rest).first->second;
  if (added.after != nullptr) added.after->before = &added;
  block.after = &added;
  block.size = size;
  set_free(added);
}

// The block takes in its free neighbour.
void BlockPool::absorb_next(Block& block) {
  Block& next = *block.after;
  set_used(next);
  block.size += next.size;
  block.after = next.after;
  if (block.after != nullptr) block.after->before = &block;
  blocks_.erase(next.data);
}

void BlockPool::set_free(Block& block) {
  block.freed_at = ++frees_;
  free_.insert(&block);
}

void BlockPool::set_used(Block& block) {
  free_.erase(&block);
  block.freed_at = 0;
}

}  // namespace tk
