import torch
import torch.nn.functional as F


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return torch.where(z > 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, dy):
        (z,) = ctx.saved_tensors
        return dy * (1 - z.abs()).relu()


torch.manual_seed(1)
truth = torch.tensor([1.0, -1, -1, 1, 1, -1, 1, -1]).unsqueeze(1)
z = (0.2 * torch.rand(8, 1) - 0.1).requires_grad_()
adam = torch.optim.Adam([z], lr=0.01)
for step in range(300):
    adam.zero_grad()
    x = torch.randn(32, 8)
    F.mse_loss(x @ Sign.apply(z), x @ truth).backward()
    adam.step()
print((Sign.apply(z) != truth).sum().item(), "of 8 signs are wrong")
